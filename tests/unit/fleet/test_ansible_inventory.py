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
from fleet.transport import sshconfig
from fleet.transport.route import route
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


JUMPED = [
    ("-J ann@gate:24", ["ann@gate:24", "h:22"], {}),
    ("-o ProxyJump=outer,inner", ["me@outer:22", "me@inner:22", "h:22"], {}),
    ("'-o \"ProxyCommand=ssh -W %h:%p -q gate\"'", ["h:22"], {"command": "ssh -W h:22 -q gate"}),
    # Before those of ~/.ssh/config, of which one would lead over `other`.
    ("-o ProxyJump=none", ["h:22"], {"command": ""}),
    ("-C", ["me@other:22", "h:22"], {}),
    (
        "-oStrictHostKeyChecking=accept-new -o 'UserKnownHostsFile /k1 /k2' -i /key -o HostKeyAlias=inner -oConnectTimeout=7",
        ["me@other:22", "h:22"],
        {"policy": "accept-new", "known": ["/k1", "/k2"], "key": "/key", "key_name": "inner", "connect_timeout": 7},
    ),
    ("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null", ["me@other:22", "h:22"], {"policy": "", "known": ["~"]}),
]


@pytest.mark.parametrize(("arguments", "way", "fields"), JUMPED)
def test_sshs_arguments_lead_as_ssh_would_go(
    arguments: str, way: List[str], fields: Dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "me")
    (tmp_path / "config").write_text("Host h\n ProxyJump other\n HostKeyAlias own\n")
    files = {"hosts": "h\n", "host_vars/h": f"ansible_ssh_common_args: {yaml.safe_dump(arguments.strip(chr(39)))}"}
    found = route(only(read(tmp_path, files)), sshconfig.read([tmp_path / "config"]))
    assert [f"{hop.user}@{hop.address}:{hop.port}".replace("me@h", "h") for hop in found] == way
    last = found[-1]
    told: Dict[str, Any] = {
        "policy": last.policy,
        "command": last.command,
        "key_name": last.key_name,
        "connect_timeout": last.connect_timeout,
    }
    told["known"] = ["~" if path.name == "known_hosts" else str(path) for path in last.known_hosts[:-1]]
    told["key"] = str(last.keys[0]) if last.keys else ""
    assert {name: told[name] for name in fields} == fields


def test_sshs_arguments_count_in_ansibles_order(tmp_path: Path) -> None:
    """What ansible-core 2.19 puts on ssh's command line, where the first of each counts: args, common, extra."""
    line = "h ansible_ssh_extra_args='-J extra' ansible_ssh_common_args='-oProxyCommand=common -i /b' ansible_ssh_args='-i /a'\n"
    host = only(read(tmp_path, {"hosts": line}))
    assert host.ssh_options == ("identityfile /a", "identityfile /b", "proxycommand common", "proxyjump none")
    assert only(read(tmp_path, {"hosts": "h ansible_connection=local ansible_ssh_args='-p 3'\n"})).ssh_options == ()


REFUSED = [
    ("h:99999", "hosts:1: ansible_port: should be a port from 1 to 65535, not the integer 99999", ""),
    ("h ansible_port=ssh", "hosts:1: ansible_port: should be a port from 1 to 65535", ""),
    ("h ansible_host='{{ name }}'", "hosts:1: ansible_host: is a template", "write the value itself"),
    ("h ansible_become=perhaps", "hosts:1: ansible_become: should be true or false", ""),
    ("h ansible_connection=winrm", "hosts:1: ansible_connection: Skiff has no connection of the kind 'winrm'", "(!host)"),
    ("h ansible_ssh_common_args='-o Port=24'", "hosts:1: ansible_ssh_common_args: port is not followed", "ansible_port"),
    ("h ansible_ssh_extra_args='-qlme'", "hosts:1: ansible_ssh_extra_args: -l is not followed", "ansible_user"),
    ("h ansible_ssh_args='-F other'", "hosts:1: ansible_ssh_args: -F is not followed", "ssh/config"),
    ("h ansible_ssh_args=bastion", "an argument that cannot be read is not followed", "ssh/config"),
    ('h ansible_ssh_args="-o \'Port=2"', "an argument that cannot be read is not followed", "ssh/config"),
    ("h ansible_ssh_args='-o ProxyJump'", "an argument that cannot be read is not followed", "ssh/config"),
    ("h ansible_ssh_args='\"-oProxyJump=a\\\\nPort 2\"'", "an argument that cannot be read is not followed", "ssh/config"),
    ("h ansible_ssh_args='-J {{ bastion }}'", "ansible_ssh_args: is a template", "write the value itself"),
    ("h ansible_become_user=app", "hosts:1: ansible_become_user: is 'app', and Skiff becomes root by sudo", "make it root"),
    ("h ansible_become_method=su", "hosts:1: ansible_become_method: is 'su', and Skiff becomes root by sudo", "make it sudo"),
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
        "h ansible_ssh_common_args='-o StrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null'",
        "hosts:1: ansible_ssh_common_args: stricthostkeychecking no, userknownhostsfile /dev/null are not followed; host keys are",
    ),
    ("h ansible_ssh_args='-C -o ForwardAgent=yes'", "hosts:1: ansible_ssh_args: forwardagent is not followed; host keys"),
    ("h ansible_password=hunter2", "hosts:1: ansible_password: is not followed; write it {secret: ...}"),
    ("h ansible_become_pass=hunter2", "hosts:1: ansible_become_pass: is not followed; write it {secret: ...} (docs/"),
    ("h[1:3] ansible_python_interpreter=/p", "ansible_python_interpreter: is not followed (nor in 2 more places); Skiff finds"),
    ("h ansible_become_flags=-E", "ansible_become_flags: is not followed; Skiff becomes root by sudo"),
    ("h ansible_shell_type=fish", "ansible_shell_type: is not followed; Skiff has no use for it"),
]


@pytest.mark.parametrize(("line", "message"), WARNED)
def test_what_is_passed_over_is_told_without_its_value(line: str, message: str, tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": f"{line}\n"})
    (warning,) = inventory.warnings
    assert message in warning
    assert "hunter2" not in warning
    assert select(inventory, "all", {})


@pytest.mark.parametrize("line", [
        "h ansible_become_method=sudo ansible_become_user=root", "h ansible_pipelining=True", "h x=1",
        "h ansible_ssh_args='-C -o ControlMaster=auto -o ControlPersist=60s' ansible_ssh_common_args='-J gate'",
        "h ansible_become_method=ansible.builtin.sudo",
    ],
)  # fmt: skip
def test_what_agrees_with_skiff_or_is_somebody_elses_raises_no_word(line: str, tmp_path: Path) -> None:
    assert read(tmp_path, {"hosts": f"{line}\n"}).warnings == []


def test_a_host_that_cannot_be_followed_stops_only_those_who_choose_it(tmp_path: Path) -> None:
    inventory = read(tmp_path, {"hosts": "a\nwin ansible_connection=winrm\napp ansible_become_user=app\n"})
    assert [host.name for host in select(inventory, "all:!win:!app", {})] == ["a"]


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
