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
    ("host: {}\nvars: {}\n", "hosts.yml:1: host: unknown key", "did you mean 'hosts'?"),
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
    ("? [a]\n: b\n", "hosts.yml:1: a key should be a plain word", ""),
    ("vars: &a [*a]\n", "hosts.yml:1: vars[0]", ""),
    ("vars: " + "[" * 2000, "hosts.yml:1: is nested more than 40 deep", ""),
    (
        "vars:\n  a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"  {b}: &{b} [{', '.join(['*' + a] * 10)}]\n" for a, b in zip("abcdef", "bcdefg")),
        "holds more than 300000 values",
        "aliases (*name) repeat",
    ),
    ("vars:\n  <<: 1\n", "hosts.yml:2: vars: '<<' should name a mapping", ""),
    ("vars: &a\n  <<: *a\n", "hosts.yml:1: vars: the mapping holds itself by '<<'", ""),
    ("vars:\n  sysctls: !!set {a, b}\n", "hosts.yml:2: vars.sysctls: has the tag !!set, which Skiff does not know", ""),
    ("vars:\n  a: !mine b\n", "hosts.yml:2: vars.a: has the tag !mine", ""),
    ("vars:\n  a: !!binary aGk=\n", "hosts.yml:2: vars.a: has the tag !!binary", ""),
    ("vars:\n  a: .inf\n", "hosts.yml:2: vars.a: '.inf' is no finite number", ""),
    ("vars:\n  a: !!int x\n", "hosts.yml:2: vars.a: 'x' is not of the type !!int", ""),
    ("vars: {}\n---\nvars: {}\n", "hosts.yml:2: is not YAML: expected a single document in the stream, but found another", ""),
    ("vars:\n\tuser: me\n", "hosts.yml:2: is not YAML: found character '\\t'", ""),
    ("vars:\n  user: 'a\x07'\n", "hosts.yml:2: is not YAML: it holds '\\x07'", ""),
    ('vars:\n  user: "a\\0b"\n', "hosts.yml:2: vars.user: 'a\\x00b' is no user's name", ""),
    ('vars:\n  identity_file: "a\\0b"\n', "hosts.yml:2: vars.identity_file: 'a\\x00b' is no file's name", ""),
    ("vars:\n  identity_file: ''\n", "hosts.yml:2: vars.identity_file: '' is no file's name", ""),
    ("vars:\n  identity_file: ~nobody-here/k\n", "hosts.yml:2: vars.identity_file: '~nobody-here/k': there is no such user", ""),
    ("hosts:\n  a: {address: 1:2:3:4:5:6:7:8}\n", "hosts.yml:2: hosts.a.address: should be an IP address", "in quotes"),
    ("hosts:\n  a: {address: [fe80::1]}\n", "hosts.yml:2: hosts.a.address: should be an IP address", "in quotes"),
    ("hosts:\n  a: {user: !vault x}\n", "hosts.yml:2: hosts.a.user: should be a string, not a value encrypted", ""),
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


def test_aliases_and_merged_mappings_are_read(tmp_path: Path) -> None:
    text = """\
vars: &base {x: base, y: base}
hosts:
  a: {<<: *base, y: own}
  b: {<<: [{x: first}, *base]}
  c: &c {z: c}
  d: *c
"""
    inventory = read(tmp_path, {"hosts.yml": text})
    assert values(inventory, "a") == {"x": "base", "y": "own"}
    assert values(inventory, "b") == {"x": "first", "y": "base"}
    assert values(inventory, "d") == {"x": "base", "y": "base", "z": "c"}
    assert inventory.host("b", {}).variables["y"].place.endswith("hosts.yml:1: hosts.b.y")


def test_dates_are_text_and_names_may_be_of_any_script(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts.yml": "\ufeffhosts: {h: {x: 2001-01-01, größe: ü}}\n"})
    assert values(inventory, "h") == {"x": "2001-01-01", "größe": "ü"}


def test_a_large_fleet_with_deep_groups_is_settled_in_linear_work(tmp_path: Path) -> None:
    ladder = "".join(f"  a{n}: {{children: [a{n + 1}, b{n + 1}]}}\n  b{n}: {{children: [a{n + 1}, b{n + 1}]}}\n" for n in range(60))
    chain = "".join(f"  c{n}: {{children: [c{n + 1}]}}\n" for n in range(1500))
    text = f"hosts: {{h: }}\ngroups:\n{ladder}{chain}  a60: {{hosts: [h]}}\n  b60: {{}}\n  c1500: {{hosts: [h]}}\n"
    inventory = read(tmp_path, {"hosts.yml": text})
    assert inventory.members("a0") == {"h"}
    assert [group.name for group in inventory.groups_of("h")[:4]] == ["a0", "b0", "c0", "a1"]
    assert len(inventory.groups_of("h")) == 121 + 1501


def test_files_beside_may_have_any_of_yamls_endings_or_be_directories(tmp_path: Path) -> None:
    files = {
        "hosts.yml": HOSTS,
        "group_vars/web/10-a.yml": "colour: a\nshape: a\n",
        "group_vars/web/20-b.yaml": "colour: b\n",
        "group_vars/web/.30-c.yml.swp": "not: [yaml",
        "group_vars/web/40-d~": "not: [yaml",
        "group_vars/README": "not: [yaml",
        "group_vars/.wbe.yml": "not: [yaml",
        "host_vars/db1.json": '{"depth": "json"}',
        "host_vars/web2.yaml": "size: yaml\n",
    }
    inventory = read(tmp_path, files)
    assert values(inventory, "web1") == {"colour": "b", "shape": "a", "size": "from-host", "depth": "from-eu"}
    assert values(inventory, "db1")["depth"] == "json"
    assert values(inventory, "web2")["size"] == "yaml"
    assert inventory.warnings == []


def test_of_two_files_of_one_name_the_second_is_told(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts.yml": HOSTS, "host_vars/db1.yml": "depth: yml\n", "host_vars/db1.yaml": "depth: yaml\n"})
    assert values(inventory, "db1")["depth"] == "yml"
    assert [line.endswith("host_vars/db1.yml is there") for line in inventory.warnings] == [True]


def test_files_beside_one_inventory_may_speak_of_the_groups_of_another(tmp_path: Path) -> None:
    files = {"hosts.yml": HOSTS, "lab/inventory.yml": "groups: {lab: {hosts: {lab1: }}}\n", "group_vars/lab.yml": "x: beside\n"}
    first = write(tmp_path, files)
    assert values(read_inventory([first, tmp_path / "lab" / "inventory.yml"]), "lab1")["x"] == "beside"


def test_a_vaulted_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"host_vars/db1\.yml:1: is encrypted by ansible-vault"):
        read(tmp_path, {"hosts.yml": HOSTS, "host_vars/db1.yml": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"})


def test_names_that_yaml_reads_as_other_types_stay_names(tmp_path: Path) -> None:
    assert read(tmp_path, {"hosts.yml": "hosts: {10: , on: , 1e3: }\n"}).names == ["10", "on", "1e3"]


def test_the_repositorys_own_inventory_is_sound() -> None:
    assert read_inventory([Path(__file__).parents[3] / "inventory" / "hosts.yml"]).names == []
