from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest

from fleet.errors import UsageError
from fleet.inventory.document import parse
from fleet.inventory.load import inventory_files, read_inventory
from fleet.inventory.model import Inventory

HOSTS = """\
vars: {user: root, colour: from-all, shape: from-all}
hosts:
  web1: {address: 10.0.0.1, size: from-host}
  web2: {address: "fe80::1%eth0", port: 2222}
  db1:
groups:
  web:
    hosts: [web1, web2]
    vars: {colour: from-web, shape: from-web, size: from-web}
  eu:
    children: [web]
    hosts: [db1]
    vars: {colour: from-eu, depth: from-eu}
"""


def write(directory: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory / "hosts.yml"


def read(directory: Path, files: Dict[str, str]) -> Inventory:
    return read_inventory([write(directory, files)])


def values(inventory: Inventory, host: str, **extra: str) -> Dict[str, object]:
    settings = {key: parse(value, None, f"--set {key}") for key, value in extra.items()}
    return {name: entry.value for name, entry in inventory.host(host, settings).variables.items()}


def test_settings_merge_from_all_over_groups_and_host_to_the_command_line(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts.yml": HOSTS})
    assert values(inventory, "web1") == {"colour": "from-web", "shape": "from-web", "size": "from-host", "depth": "from-eu"}
    assert values(inventory, "db1") == {"colour": "from-eu", "shape": "from-all", "depth": "from-eu"}
    assert values(inventory, "web1", size="from-set")["size"] == "from-set"


def test_siblings_merge_by_name_and_a_group_below_wins_over_all_above(tmp_path: Path) -> None:
    text = """\
hosts: {h: }
groups:
  zebra: {hosts: [h], vars: {x: zebra}}
  apple: {hosts: [h], vars: {x: apple}}
"""
    assert values(read(tmp_path, {"hosts.yml": text}), "h") == {"x": "zebra"}
    nested = """\
hosts: {h: }
groups:
  a-below: {hosts: [h], vars: {x: below}}
  z-above: {children: [a-below], vars: {x: above}}
"""
    assert values(read(tmp_path, {"hosts.yml": nested}), "h") == {"x": "below"}


def test_files_beside_hosts_yml_win_over_it(tmp_path: Path) -> None:
    files = {
        "hosts.yml": HOSTS,
        "group_vars/all.yml": "shape: from-all-file\n",
        "group_vars/web.yml": "colour: from-web-file\n",
        "host_vars/web1.yml": "size: from-host-file\n",
    }
    found = values(read(tmp_path, files), "web1")
    assert found == {"colour": "from-web-file", "shape": "from-web", "size": "from-host-file", "depth": "from-eu"}


def test_connection_settings_are_settled(tmp_path: Path) -> None:
    settings = "{address: 10.0.0.9, port: 22, user: me, identity_file: keys/id, known_hosts: /k}"
    text = f"vars: {{become: true}}\nhosts:\n  h: {settings}\n  i:\n"
    inventory = read(tmp_path, {"hosts.yml": text})
    host = inventory.host("h", {})
    assert (host.address, host.port, host.user, host.become) == ("10.0.0.9", 22, "me", True)
    assert host.identity_file == tmp_path / "keys" / "id"
    assert host.known_hosts == Path("/k")
    assert host.target == "10.0.0.9 port 22"
    assert inventory.host("i", {}).address == "i"


def test_several_files_make_one_inventory(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": HOSTS, "lab/inventory.yml": "groups: {lab: {hosts: {lab1: {address: 10.0.0.7}}}}\n"})
    files = inventory_files(tmp_path, tmp_path / "lab" / "inventory.yml")
    inventory = read_inventory(files)
    assert inventory.members("lab") == {"lab1"}
    assert inventory.names == ["web1", "web2", "db1", "lab1"]
    assert inventory_files(tmp_path / "nowhere", tmp_path / "no") == []


FAULTS = [
    ("host: {}\n", "hosts.yml:1: host: unknown key", "did you mean 'hosts'?"),
    ("groups:\n  web:\n    host: [a]\n", "hosts.yml:3: groups.web.host: unknown key", "did you mean 'hosts'?"),
    ("hosts: [a]\n", "hosts.yml:1: hosts: should be a mapping, not a list", ""),
    ("groups:\n  web:\n    hosts: a\n", "hosts.yml:3: groups.web.hosts: should be a list, not the string 'a'", ""),
    ("hosts:\n  a: {port: 0}\n", "hosts.yml:2: hosts.a.port: should be a port from 1 to 65535, not the integer 0", ""),
    ("hosts:\n  a: {port: '22'}\n", "hosts.yml:2: hosts.a.port: should be a port from 1 to 65535, not the string '22'", ""),
    ("hosts:\n  a: {port: true}\n", "hosts.yml:2: hosts.a.port: should be a port from 1 to 65535, not the boolean true", ""),
    ("hosts:\n  a: {address: 10.0.0.300}\n", "hosts.yml:2: hosts.a.address: '10.0.0.300' is neither an IP address nor", "port"),
    ("hosts:\n  a: {address: 'x:22'}\n", "hosts.yml:2: hosts.a.address: 'x:22' is neither an IP address nor", "a key of its own"),
    ("hosts:\n  a: {become: 'yes'}\n", "hosts.yml:2: hosts.a.become: should be true or false, not the string 'yes'", ""),
    ("hosts:\n  a: {connection: telnet}\n", "hosts.yml:2: hosts.a.connection: should be one of ssh, local, not", ""),
    ("hosts:\n  a: {user: 'a b'}\n", "hosts.yml:2: hosts.a.user: 'a b' is no user's name", ""),
    ("hosts:\n  'a b':\n", "hosts.yml:2: hosts.a b: 'a b' is no name for a host", "letters, digits"),
    ("hosts:\n  all:\n", "hosts.yml:2: hosts.all: 'all' names all hosts and can be no host's name", ""),
    ("hosts:\n  a:\n  b:\n  a:\n", "hosts.yml:4: hosts.a: is given twice; the first is on line 2", ""),
    (
        "hosts:\n  a:\ngroups:\n  g:\n    hosts:\n      a: {port: 1}\n",
        "hosts.yml:6: groups.g.hosts.a: host 'a' is defined twice",
        "",
    ),
    (
        "groups:\n  g:\n    hosts: [web1]\nhosts: {web2: }\n",
        "hosts.yml:3: groups.g.hosts[0]: host 'web1' is not defined",
        "'web2'?",
    ),
    ("groups:\n  g:\n    children: [h]\n", "hosts.yml:2: groups.g: its child 'h' is no group", ""),
    ("groups:\n  a: {children: [b]}\n  b: {children: [a]}\n", "hosts.yml:2: groups.a: the group holds itself: a > b > a", ""),
    ("groups:\n  a: {children: [a]}\n", "hosts.yml:2: groups.a: the group holds itself: a > a", ""),
    ("hosts: {web: }\ngroups:\n  web: {}\n", "hosts.yml:3: groups.web: 'web' is a host too", ""),
    ("groups: {all: {}}\n", "hosts.yml:1: groups.all: 'all' holds all hosts by itself", "top-level key 'vars'"),
    ("vars: {address: 10.0.0.1}\n", "hosts.yml:1: vars.address: an address belongs to one host", ""),
    ("hosts:\n  a: [\n", "hosts.yml:3: is not YAML", ""),
    ("hosts: {a: {port: 1}\n", "is not YAML", ""),
    ("a\tb: !!python/object:os.system {}\n", "hosts.yml", ""),
    ("? [a]\n: b\n", "hosts.yml:1: None: a key should be a plain word", ""),
    ("x: &a [*a]\n", "hosts.yml", ""),
]


@pytest.mark.parametrize(("text", "message", "cure"), FAULTS)
def test_each_fault_names_file_line_and_key(tmp_path: Path, text: str, message: str, cure: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, {"hosts.yml": text})
    assert message in caught.value.brief
    assert cure in caught.value.resolution


@pytest.mark.parametrize("directory", ["group_vars", "host_vars"])
def test_a_file_of_an_unknown_group_or_host_is_refused(tmp_path: Path, directory: str) -> None:
    with pytest.raises(UsageError, match=rf"{directory}/wbe\.yml:1: there is no (group|host) 'wbe'"):
        read(tmp_path, {"hosts.yml": HOSTS, f"{directory}/wbe.yml": "x: 1\n"})


def test_a_host_of_two_files_is_refused_with_both_places(tmp_path: Path) -> None:
    first = write(tmp_path, {"hosts.yml": "hosts: {a: }\n", "more.yml": "hosts:\n\n  a:\n"})
    with pytest.raises(UsageError, match=r"more\.yml:3: hosts\.a: host 'a' is defined twice; the first time at .*hosts\.yml:1"):
        read_inventory([first, tmp_path / "more.yml"])


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_inventory([tmp_path / "none.yml"])
    (tmp_path / "bin.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"bin\.yml: cannot be read"):
        read_inventory([tmp_path / "bin.yml"])


def test_names_that_yaml_reads_as_other_types_stay_names(tmp_path: Path) -> None:
    assert read(tmp_path, {"hosts.yml": "hosts: {10: , on: , 1e3: }\n"}).names == ["10", "on", "1e3"]


def test_the_repositorys_own_inventory_is_sound() -> None:
    assert read_inventory([Path(__file__).parents[3] / "inventory" / "hosts.yml"]).groups == []
