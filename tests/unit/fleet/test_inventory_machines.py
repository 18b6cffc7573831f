"""The machines of the Vagrantfile in the inventory: found where Vagrant keeps them, in the group `lab`, their keys pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import UsageError
from fleet.inventory.load import read_inventory
from fleet.inventory.machines import machine_files
from fleet.run import inventories

HOST = "---\naddress: 192.168.121.7\nport: 22\nuser: vagrant\nidentity_file: /keys/one\nknown_hosts: known_hosts\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VAGRANT_DOTFILE_PATH", raising=False)
    (tmp_path / "inventory").mkdir()
    return tmp_path


def told(checkout: Path, name: str, text: str = HOST, state: str = ".vagrant", provider: str = "libvirt") -> Path:
    place = checkout / state / "machines" / name / provider
    place.mkdir(parents=True)
    (place / "host.yml").write_text(text)
    return place


def test_they_are_reached_as_vagrant_told_and_checked_by_the_keys_beside(checkout: Path) -> None:
    place = told(checkout, "el9")
    inventory = read_inventory([], machine_files(checkout))
    assert inventory.members("lab") == {"el9"}
    host = inventory.host("el9", {})
    assert (host.address, host.port, host.user, host.identity_file) == ("192.168.121.7", 22, "vagrant", Path("/keys/one"))
    assert host.known_hosts == place / "known_hosts"


def test_they_join_a_lab_that_another_file_has_and_take_its_settings(checkout: Path) -> None:
    told(checkout, "el9")
    hosts = checkout / "inventory" / "hosts.yml"
    hosts.write_text("groups: {lab: {hosts: {lab1: {}}, vars: {firewalld: kept}}}\n")
    (checkout / "inventory" / "group_vars").mkdir()
    (checkout / "inventory" / "group_vars" / "lab.yml").write_text("selinux: kept\n")
    inventory = read_inventory([hosts], machine_files(checkout))
    assert inventory.members("lab") == {"lab1", "el9"}
    assert {name: entry.value for name, entry in inventory.host("el9", {}).variables.items()} == {
        "firewalld": "kept",
        "selinux": "kept",
    }


def test_another_host_of_the_name_is_told_with_both_places(checkout: Path) -> None:
    told(checkout, "el9")
    hosts = checkout / "inventory" / "hosts.yml"
    hosts.write_text("hosts: {el9: {}}\n")
    with pytest.raises(UsageError, match=r"host.yml:.*'el9' is defined twice; the first time at .*hosts.yml:1"):
        read_inventory([hosts], machine_files(checkout))


def test_a_damaged_file_is_told_with_its_place(checkout: Path) -> None:
    told(checkout, "el9", "address: 192.168.121.7\nport: many\n")
    with pytest.raises(UsageError, match=r"el9/libvirt/host.yml:2: port: should be a port"):
        read_inventory([], machine_files(checkout))


def test_vagrants_own_setting_says_where_they_are(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(checkout, "here")
    told(checkout, "there", state="elsewhere")
    monkeypatch.setenv("VAGRANT_DOTFILE_PATH", "elsewhere")
    assert read_inventory([], machine_files(checkout)).names == ["there"]


def test_a_task_finds_them_unless_it_is_given_an_inventory(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(checkout, "el9")
    monkeypatch.setattr(inventories, "HOME", checkout / "inventory")
    monkeypatch.setattr(inventories, "LAB_INVENTORY", checkout / "none")
    assert inventories.open_inventory("").names == ["el9"]
    own = checkout / "own.yml"
    own.write_text("hosts: {web1: {}}\n")
    assert inventories.open_inventory(str(own)).names == ["web1"]
