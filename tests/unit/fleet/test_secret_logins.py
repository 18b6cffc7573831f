"""Passwords of hosts: secrets of the inventory, Skiff's or Ansible's, fetched for the hosts that are connected to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping

import pytest

from fleet.errors import UsageError
from fleet.inventory import views
from fleet.inventory.document import parse
from fleet.inventory.load import read_inventory
from fleet.inventory.model import Host, Inventory
from fleet.inventory.patterns import select
from fleet.run import connector
from fleet.secret import Reference, Secret
from fleet.transport import dial
from fleet.transport.login import Login
from fleet.transport.stop import Stop

CANARY = "canary-4f1e-value"
ENV = "{secret: {env: PW}}"


def read(tmp_path: Path, name: str, text: str) -> Inventory:
    (tmp_path / name).write_text(text)
    return read_inventory([tmp_path / name])


def of_host(tmp_path: Path, name: str, text: str) -> List[Any]:
    (host,) = select(read(tmp_path, name, text), "h", {})
    return [host.ssh_password, host.key_passphrase, host.become_password]


def test_a_host_s_passwords_are_references(tmp_path: Path) -> None:
    text = f"vars: {{become_password: {{secret: {{command: [pass, sudo]}}}}}}\nhosts: {{h: {{ssh_password: {ENV}}}}}\n"
    ssh, key, become = of_host(tmp_path, "hosts.yml", text)
    assert ssh == Reference("env", ("PW",), 30.0)
    assert become == Reference("command", ("pass", "sudo"), 30.0)
    assert key is None


@pytest.mark.parametrize("key", ["ssh_password", "key_passphrase", "become_password"])
@pytest.mark.parametrize("value", [CANARY, "12345678", f"[{CANARY}]", f"{{secret: {CANARY}}}", "null"])
def test_one_in_clear_is_refused_and_not_shown(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "hosts.yml", f"hosts:\n  h:\n    {key}: {value}\n")
    said = str(caught.value)
    assert f"hosts.yml:3: hosts.h.{key}: should be a secret" in said
    assert "{secret: {env: NAME}}" in said
    assert CANARY not in said
    assert "12345678" not in said


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("ansible_password", 0),
        ("ansible_ssh_pass", 0),
        ("ansible_ssh_password", 0),
        ("ansible_ssh_private_key_passphrase", 1),
        ("ansible_become_pass", 2),
        ("ansible_become_password", 2),
    ],
)
@pytest.mark.parametrize(
    "form", ['h {}=\'{{"secret": {{"env": "PW"}}}}\'\n', "[all:vars]\n{}={{'secret': {{'env': 'PW'}}}}\n[g]\nh\n"]
)
def test_an_ansible_inventory_may_hold_them_too(variable: str, place: int, form: str, tmp_path: Path) -> None:
    found = of_host(tmp_path, "hosts", form.format(variable))
    assert found[place] == Reference("env", ("PW",), 30.0)
    assert found.count(None) == 2
    assert not read(tmp_path, "hosts", form.format(variable)).warnings


def test_one_in_clear_or_vaulted_is_passed_over_with_a_word(tmp_path: Path) -> None:
    vault = "all:\n  hosts:\n    h:\n      ansible_become_pass: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        31\n"
    for name, text in (("hosts", f"h ansible_password={CANARY}\n"), ("hosts.yml", vault)):
        inventory = read(tmp_path, name, text)
        assert select(inventory, "h", {})[0].ssh_password is None
        (warning,) = inventory.warnings
        assert "is not followed; write it {secret: ...} (docs/guides/secrets.md)" in warning
        assert CANARY not in warning


def test_a_view_shows_where_it_comes_from_alone(tmp_path: Path) -> None:
    text = f"hosts: {{h: {{ssh_password: {ENV}, extra_packages: [a, {{secret: {{command: [pass]}}}}]}}}}\n"
    shown = views.variables(read(tmp_path, "hosts.yml", text), ["h"])["h"]
    assert shown["ssh_password"]["value"] == "(secret: env)"
    assert shown["extra_packages"]["value"] == ["a", "(secret: command)"]


def test_an_ansible_variable_of_another_form_is_none_of_ours(tmp_path: Path) -> None:
    inventory = read(tmp_path, "hosts.yml", "all: {hosts: {h: {mine: {secret: {path: x}}}}}\n")
    assert views.variables(inventory, ["h"])["h"]["mine"]["value"] == {"secret": {"path": "x"}}


def test_connections_get_the_host_s_own_or_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import fleet.transport.ssh as ssh

    logins: List[Any] = []
    monkeypatch.setattr(dial, "ahead", lambda *_: None)
    monkeypatch.setattr(
        ssh, "SshTransport", lambda host, _, login, *__: logins.append((host.name, login.password, login.passphrase))
    )
    fetched: Mapping[str, str] = {"PW": CANARY, "KEY": "opens"}
    connect = connector.Connector(Login("general"), lambda reference: Secret(fetched[reference.value[0]]))
    own, key = Reference("env", ("PW",)), Reference("env", ("KEY",))
    for host in (Host("a", "a", ssh_password=own, key_passphrase=key), Host("b", "b")):
        connect(host, Stop())
    assert logins == [("a", CANARY, "opens"), ("b", "general", None)]


def test_set_may_name_one(tmp_path: Path) -> None:
    extra = {"become_password": parse(ENV, None, "--set become_password")}
    (host,) = select(read(tmp_path, "hosts.yml", "hosts: {h: }\n"), "h", extra)
    assert host.become_password == Reference("env", ("PW",), 30.0)
