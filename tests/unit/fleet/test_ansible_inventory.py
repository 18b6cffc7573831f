from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from fleet.errors import UsageError
from fleet.inventory.document import parse
from fleet.inventory.load import inventory_file, read_inventory
from fleet.inventory.model import Host, Inventory
from fleet.inventory.patterns import select
from fleet.roles import defaults
from fleet.variables import Variable

ROWS: List[Dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("ansible_inventory.yml").read_text(encoding="utf-8"))


def read(directory: Path, files: Dict[str, str], inventory: str = "hosts") -> Inventory:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_inventory([directory / inventory])


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_an_inventory_means_what_ansible_makes_of_it(row: Dict[str, Any], tmp_path: Path) -> None:
    inventory = read(tmp_path, row["files"], row["inventory"])
    found = {host: {name: entry.plain() for name, entry in inventory.merged(host).items()} for host in inventory.names}
    assert {host: values for host, values in found.items() if values} == row["hostvars"]
    parts = {name: {"children": sorted(group.children), "hosts": sorted(group.hosts)} for name, group in inventory.groups.items()}
    filled = {name: {key: names for key, names in part.items() if names} for name, part in parts.items()}
    assert {name: part for name, part in filled.items() if part} == row["groups"]


CONNECTIONS = [
    ("h ansible_host=10.0.0.5 ansible_port=2222 ansible_user=me", {"address": "10.0.0.5", "port": 2222, "user": "me"}),
    ("h:2222", {"address": "h", "port": 2222}),
    ("[fd00::5]:2222", {"address": "fd00::5", "port": 2222, "target": "[fd00::5] port 2222"}),
    ("h ansible_port='\"2222\"' ansible_user=1000", {"port": 2222, "user": "1000"}),
    ("h ansible_ssh_host=old ansible_ssh_user=me ansible_ssh_port=3", {"address": "old", "user": "me", "port": 3}),
    ("h ansible_become=yes", {"become": True}),
    ("h ansible_become=False", {"become": False}),
    ("h ansible_connection=local", {"connection": "local"}),
    ("h ansible_connection=ansible.builtin.ssh", {"connection": "ssh"}),
    ("h ansible_ssh_private_key_file=keys/id", {"identity_file": Path("keys/id")}),
    ("h ansible_private_key_file=~/id", {"identity_file": Path.home() / "id"}),
    # These names are Skiff's in its own inventories alone.
    ("h port=8080 user=app address=x connection=y become=z", {"address": "h", "port": None, "user": None, "connection": "ssh"}),
]


def only(inventory: Inventory) -> Host:
    (host,) = select(inventory, "all", {})
    return host


@pytest.mark.parametrize(("line", "expected"), CONNECTIONS)
def test_ansibles_variables_say_how_a_host_is_reached(line: str, expected: Dict[str, object], tmp_path: Path) -> None:
    host = only(read(tmp_path, {"hosts": f"{line}\n"}))
    assert {name: getattr(host, name) for name in expected} == expected


REFUSED = [
    ("h:99999", "hosts:1: ansible_port: should be a port from 1 to 65535, not the integer 99999", ""),
    ("h ansible_port=ssh", "hosts:1: ansible_port: should be a port from 1 to 65535", ""),
    ("h ansible_host='{{ name }}'", "hosts:1: ansible_host: is a template", "write the value itself"),
    ("h ansible_become=perhaps", "hosts:1: ansible_become: should be true or false", ""),
    ("h ansible_connection=winrm", "hosts:1: ansible_connection: Skiff has no connection of the kind 'winrm'", "(!host)"),
    (
        "h ansible_ssh_common_args='-o ProxyJump=bastion'",
        "hosts:1: ansible_ssh_common_args: ProxyJump is not",
        "ssh/config",
    ),
    ("h ansible_ssh_extra_args='-J bastion'", "hosts:1: ansible_ssh_extra_args: -J is not followed", "ssh/config"),
    ("h ansible_ssh_args='-oProxyCommand=\"nc %h\"'", "hosts:1: ansible_ssh_args: ProxyCommand is not followed", "ssh/config"),
    ("web[05:1]", "hosts:1: is no line of a host: the range [05:1] should have its ends equally long", ""),
    ("web[1:3:0]", "hosts:1: is no line of a host: the range [1:3:0] has no number above 0", ""),
    ("web[3:1]", "the range [3:1] is empty", ""),
    ("web[1:x]", "the range [1:x] should run between two numbers or two letters", ""),
    ("web[1]", "the range [1] should be [first:last]", ""),
    ("web[1:999999999]", "names more than 100000 hosts", ""),
    ("w[1:999][1:999]", "names more than 100000 hosts", ""),
    ("h 'x=1", "hosts:1: is no line of a host: No closing quotation", ""),
    ("h x", "hosts:1: 'x' should be name=value", ""),
    ("[g:vars]\nx", "hosts:2: 'x' should be name=value", ""),
    ("\n[g:host]\nh", "hosts:2: [g:host] is no section", "[group:children]"),
    ("[a b]\nh", "hosts:1: [a b] is no section", "without spaces"),
    ("[a:children]\nb", "hosts:2: [a:children]: there is no group 'b'", "[b]"),
    ("[a:vars]\nb=1", "hosts:1: [a:vars]: there is no group 'a'", "[a]"),
    ("[a:children]\nb\n[b:children]\na", "the group holds itself: a > b > a", ""),
    ("#!/bin/sh\necho {}", "hosts:1: is a program, and Skiff runs no inventory", "ansible-inventory -i"),
    ("plugin: aws_ec2", "hosts:1: plugin: Skiff runs no inventory plugin", "ansible-inventory -i"),
    ("$ANSIBLE_VAULT;1.1;AES256\n31", "hosts:1: is encrypted by ansible-vault", ""),
    ("web: {host: {a: }}", "hosts:1: web.host: unknown key", "did you mean 'hosts'?"),
    ("web: {hosts: [a]}", "hosts:1: web.hosts: should be a mapping, not a list", ""),
    ("web: {children: {all: }}", "hosts:1: web.children.all: 'all' is above all groups", ""),
    ("g h\n- x", "hosts:1: 'h' should be name=value", ""),
]


@pytest.mark.parametrize(("text", "message", "cure"), REFUSED)
def test_what_cannot_be_followed_is_refused_with_its_place(text: str, message: str, cure: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        only(read(tmp_path, {"hosts": f"{text}\n"}))
    assert message in caught.value.brief
    assert cure in caught.value.resolution


WARNED = [
    (
        "h ansible_ssh_common_args='-o StrictHostKeyChecking=no'",
        "hosts:1: ansible_ssh_common_args: is not followed; write it into ~/.ssh",
    ),
    ("h ansible_password=hunter2", "hosts:1: ansible_password: is not followed; write it {secret: ...}"),
    ("h ansible_become_pass=hunter2", "hosts:1: ansible_become_pass: is not followed; write it {secret: ...} (docs/"),
    ("h[1:3] ansible_python_interpreter=/p", "ansible_python_interpreter: is not followed (nor in 2 more places); Skiff finds"),
    ("h ansible_become_user=app", "ansible_become_user: is not followed; Skiff becomes root by sudo"),
    ("h ansible_shell_type=fish", "ansible_shell_type: is not followed; Skiff has no use for it"),
]


@pytest.mark.parametrize(("line", "message"), WARNED)
def test_what_is_passed_over_is_told_without_its_value(line: str, message: str, tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": f"{line}\n"})
    (warning,) = inventory.warnings
    assert message in warning
    assert "hunter2" not in warning
    assert select(inventory, "all", {})


@pytest.mark.parametrize("line", ["h ansible_become_method=sudo ansible_become_user=root", "h ansible_pipelining=True", "h x=1"])
def test_what_agrees_with_skiff_or_is_somebody_elses_raises_no_word(line: str, tmp_path: Path) -> None:
    assert read(tmp_path, {"hosts": f"{line}\n"}).warnings == []


def test_a_host_that_cannot_be_followed_stops_only_those_who_choose_it(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "a\nwin ansible_connection=winrm\njump ansible_ssh_common_args='-J b'\n"})
    assert [host.name for host in select(inventory, "all:!win:!jump", {})] == ["a"]


def test_the_command_line_wins_over_ansibles_variables(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "h ansible_user=me\n"})
    (host,) = select(inventory, "h", {"user": parse("root", None, "--set user")})
    assert host.user == "root"


DECLARED = {
    "firewalld": Variable("firewalld", "firewall", "string", "disabled", "", ("disabled", "kept")),
    "docker_compat": Variable("docker_compat", "service", "boolean", False, ""),
}


def test_a_roles_variables_are_used_and_others_do_no_harm(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "h firewalld=kept docker_compat=True http_port=80\n", "host_vars/h": "z: !vault x\n"})
    defaults.check(DECLARED, inventory.variables())
    assert defaults.values(DECLARED, only(inventory).variables) == {"firewalld": "kept", "docker_compat": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("firewalld: open\n", "host_vars/h:1: firewalld: should be one of disabled, kept"),
        ("docker_compat: 'true'\n", "host_vars/h:1: docker_compat: should be true or false, not 'true'"),
        ("\nfirewalld: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n", "host_vars/h:2: firewalld: is encrypted by ansible-vault"),
        ("firewalld: '{{ x }}'\n", "host_vars/h:1: firewalld: is a template"),
    ],
)
def test_a_roles_variables_are_checked(text: str, message: str, tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "h\n", "host_vars/h": text})
    with pytest.raises(UsageError) as caught:
        defaults.check(DECLARED, inventory.variables())
    assert message in caught.value.brief


def test_a_vaulted_file_is_passed_over_with_a_word(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "h x=1\n", "group_vars/all/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n31\n"})
    assert [
        "group_vars/all/vault.yml: is encrypted by ansible-vault and not read; Skiff reads no vault: decrypt it" in warning
        for warning in inventory.warnings
    ] == [True]
    assert list(only(inventory).variables) == ["x"]


def test_skiffs_and_ansibles_inventories_make_one(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "own.yml").write_text("groups: {lab: {hosts: {lab1: {port: 22}}}}\n")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {ansible_port: 24}}}\n")
    inventory = read_inventory([tmp_path / "hosts.yml", tmp_path / "lab" / "own.yml"])
    assert [(host.name, host.port) for host in select(inventory, "all", {})] == [("a", 24), ("lab1", 22)]
    assert inventory.members("ungrouped") == {"a"}


def test_a_directory_holds_an_inventory_under_one_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").touch()
    assert inventory_file(tmp_path) == tmp_path / "hosts.ini"
    (tmp_path / "hosts.ini").unlink()
    with pytest.raises(UsageError, match="holds no inventory"):
        inventory_file(tmp_path)
