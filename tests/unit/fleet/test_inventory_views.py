from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.agent import masked
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.inventory import views
from fleet.inventory.load import read_inventory
from fleet.inventory.patterns import choose
from fleet.record import Record
from fleet.run import inventories

NATIVE = """\
vars: {user: admin}
hosts:
  web1: {address: 10.0.0.11, sysctls: {vm.swappiness: "1"}}
  web2: {address: "fd00::12", port: 2222}
  db1: {connection: local}
  alone:
groups:
  web: {hosts: [web2, web1], vars: {firewalld: kept}}
  production: {children: [web], hosts: [db1]}
  empty: {}
"""
ANSIBLE = """\
alone ansible_connection=winrm
[web:vars]
db_password=hunter2
options={'token': 'hunter2', 'size': 1}
[prod:children]
web
db
[web]
w1 ansible_host=10.0.0.1 ansible_user=me port=8080
w2
[db]
d1
w1
[empty]
"""
# What `ansible-inventory --graph` draws of it, with ansible-core 2.19.14.
GRAPH = """\
@all:
  |--@ungrouped:
  |  |--alone
  |--@prod:
  |  |--@web:
  |  |  |--w1
  |  |  |--w2
  |  |--@db:
  |  |  |--d1
  |  |  |--w1
  |--@empty:
"""


@pytest.fixture
def native(tmp_path: Path) -> Path:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web.yml").write_text("# ours\nselinux: kept\n")
    (tmp_path / "hosts.yml").write_text(NATIVE)
    return tmp_path / "hosts.yml"


@pytest.fixture
def ansible(tmp_path: Path) -> Path:
    (tmp_path / "hosts").write_text(ANSIBLE)
    return tmp_path / "hosts"


def shown(capsys: pytest.CaptureFixture[str], view: str, path: Path, hosts: str = "all") -> List[str]:
    inventories.show(view, hosts, str(path), json=False)
    return capsys.readouterr().out.splitlines()


def test_the_list_has_a_line_a_host_with_address_and_groups(native: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "list", native) == [
        "web1   admin@10.0.0.11        production,web",
        "web2   admin@[fd00::12]:2222  production,web",
        "db1    local                  production",
        "alone  admin@alone",
    ]
    assert shown(capsys, "list", native, "web:!web2") == ["web1  admin@10.0.0.11  production,web"]


def test_the_list_of_an_ansible_inventory_has_its_addresses_and_shows_what_skiff_cannot_reach(
    ansible: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, "list", ansible) == [
        "alone  alone        ungrouped",
        "w1     me@10.0.0.1  prod,db,web",
        "w2     w2           prod,web",
        "d1     d1           prod,db",
    ]


def test_the_graph_is_that_of_ansible(ansible: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "graph", ansible) == GRAPH.splitlines()


def test_the_graph_of_some_hosts_has_only_their_groups(native: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "graph", native, "web1,alone") == [
        "@all:",
        "  |--@production:",
        "  |  |--@web:",
        "  |  |  |--web1",
        "  |--alone",
    ]


def test_show_tells_where_each_setting_was_set(
    native: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(native.parent)
    assert shown(capsys, "show", native, "web1") == [
        "web1",
        "  address    10.0.0.11               hosts.yml:3",
        "  firewalld  kept                    hosts.yml:8",
        "  selinux    kept                    group_vars/web.yml:2",
        '  sysctls    {"vm.swappiness": "1"}  hosts.yml:3',
        "  user       admin                   hosts.yml:1",
    ]


def test_show_keeps_what_is_named_like_a_secret(ansible: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ansible.parent / "host_vars").mkdir()
    (ansible.parent / "host_vars" / "w2.yml").write_text("key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n")
    inventories.show("show", "web", str(ansible), json=True)
    text = capsys.readouterr().out
    found: Dict[str, Any] = json.loads(text)
    assert "hunter2" not in text
    assert found["w1"]["options"] == {"value": {"token": "<not shown>", "size": 1}, "file": str(ansible), "line": 4}
    assert found["w1"]["port"]["value"] == 8080
    assert found["w2"]["key"]["value"] == "<encrypted by ansible-vault>"


def test_show_keeps_the_login_in_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosts.yml").write_text('hosts: {web1: {http_proxy: "http://me:hunter22@proxy.test:3128", no_proxy: [a@b]}}\n')
    inventories.show("show", "all", str(tmp_path / "hosts.yml"), json=True)
    found: Dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["web1"]["http_proxy"]["value"] == "http://<not shown>@proxy.test:3128"
    assert found["web1"]["no_proxy"]["value"] == ["a@b"]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("list", {"db1": {"address": "db1", "port": None, "user": "admin", "connection": "local", "groups": ["production"]}}),
        ("graph", {"all": {"children": {"production": {"children": {}, "hosts": ["db1"]}}, "hosts": []}}),
    ],
)
def test_each_view_is_a_document_too(view: str, expected: object, native: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventories.show(view, "db1", str(native), json=True)
    assert json.loads(capsys.readouterr().out) == expected


def test_a_host_that_stands_in_no_inventory_is_refused(native: Path) -> None:
    with pytest.raises(UsageError, match=r"--hosts: 'root@10\.0\.0\.5' stands in no inventory"):
        inventories.show("list", "root@10.0.0.5", str(native), json=False)


def test_hosts_of_the_last_run_are_shown(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record("provision")
    record.begin("20260101-000000-a", ["web1", "db1"])
    record.end([HostOutcome("web1", state="failed"), HostOutcome("db1", state="ok")], False)
    inventories.show("list", "@failed", str(native), json=True)
    assert list(json.loads(capsys.readouterr().out)) == ["web1"]


def test_warnings_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosts").write_text("h ansible_password=hunter2\n")
    inventories.show("list", "all", str(tmp_path), json=False)
    told = capsys.readouterr()
    assert told.out == "h  h  ungrouped\n"
    assert "hosts:1: ansible_password: is not followed; write it {secret: ...}" in told.err
    assert "hunter2" not in told.err


def test_no_value_moves_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosts").write_text(r"""h ansible_user="'a\x1b[2Jb'" x="'\n'" """ + "\n")
    assert shown(capsys, "list", tmp_path) == [r"h  a\x1b[2Jb@h  ungrouped"]
    assert r"x             \n" in shown(capsys, "show", tmp_path)[2]


def test_a_deep_tree_is_drawn_whole(tmp_path: Path) -> None:
    chain = "".join(f"  g{n}: {{children: [g{n + 1}]}}\n" for n in range(200))
    (tmp_path / "hosts.yml").write_text(f"hosts: {{h: }}\ngroups:\n{chain}  g200: {{hosts: [h]}}\n")
    inventory = read_inventory([tmp_path / "hosts.yml"])
    names, _ = choose(inventory, "all")
    assert len(list(views.graph_lines(views.tree(inventory, names)))) == 203


def test_the_control_side_and_the_agent_hide_what_is_named_alike() -> None:
    assert views.SECRET.pattern == masked.NAMED
