from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from fleet.errors import UsageError
from fleet.inventory.document import parse
from fleet.inventory.load import read_inventory
from fleet.inventory.model import Inventory
from fleet.inventory.patterns import select

TEXT = """\
vars: {user: admin}
hosts: {web1: , web2: , web3: , db1: , db2: }
groups:
  web: {hosts: [web1, web2, web3]}
  db: {hosts: [db1, db2]}
  prod: {children: [web], hosts: [db1]}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    (tmp_path / "hosts.yml").write_text(TEXT)
    return read_inventory([tmp_path / "hosts.yml"])


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web1", ["web1"]),
        ("web", ["web1", "web2", "web3"]),
        ("all", ["web1", "web2", "web3", "db1", "db2"]),
        ("prod", ["web1", "web2", "web3", "db1"]),
        ("web*,!web3", ["web1", "web2"]),
        ("all:!web3", ["web1", "web2", "db1", "db2"]),
        ("all:!web:!db1", ["db2"]),
        ("!web", ["db1", "db2"]),
        ("web[12]", ["web1", "web2"]),
        ("[dw]*1", ["web1", "db1"]),
        ("d*", ["db1", "db2"]),
        ("db2,web1,db2", ["web1", "db2"]),
        (" web1 , db1 ", ["web1", "db1"]),
    ],
)
def test_patterns_choose_hosts_once_in_the_inventorys_order(inventory: Inventory, pattern: str, names: List[str]) -> None:
    assert [host.name for host in select(inventory, pattern, {})] == names


@pytest.mark.parametrize(
    ("pattern", "address", "port", "user"),
    [
        ("root@10.0.0.5:2222", "10.0.0.5", 2222, "root"),
        ("root@box.example.com", "box.example.com", None, "root"),
        ("10.0.0.5", "10.0.0.5", None, "admin"),
        ("10.0.0.5:22", "10.0.0.5", 22, "admin"),
        ("[fe80::1%eth0]:22", "fe80::1%eth0", 22, "admin"),
        ("root@[::1]:22", "::1", 22, "root"),
        ("::1", "::1", None, "admin"),
    ],
)
def test_addresses_stand_for_themselves(inventory: Inventory, pattern: str, address: str, port: int, user: str) -> None:
    (host,) = select(inventory, pattern, {})
    assert (host.name, host.address, host.port, host.user) == (pattern, address, port, user)


def test_addresses_come_after_the_inventorys_hosts(inventory: Inventory) -> None:
    assert [host.name for host in select(inventory, "me@10.0.0.5:22,web1", {})] == ["web1", "me@10.0.0.5:22"]


def test_localhost_takes_no_connection(inventory: Inventory) -> None:
    (host,) = select(inventory, "localhost", {})
    assert host.connection == "local"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "--hosts: is empty"),
        (" , ", "--hosts: is empty"),
        ("wbe1", "--hosts: 'wbe1' matches no host and no group\ndid you mean 'web1'?"),
        ("web*,nothing*", "'nothing*' matches no host"),
        ("all:!nothing", "'nothing' matches no host"),
        ("web1:!web1", "--hosts: 'web1:!web1' leaves no host"),
        ("me@", "'' is neither an IP address nor a host's name"),
        ("@10.0.0.1", "'' is no user's name"),
        ("me@10.0.0.1:0", "'0' is no port"),
        ("me@10.0.0.1:99999", "'99999' is no port"),
        ("me@10.0.0.1:ssh", "'ssh' is no port"),
        ("me@10.0.0.999", "'10.0.0.999' is neither"),
        ("[zz::1]:22", "'zz::1' is no IPv6 address"),
        ("a@b@c", "is neither an IP address nor"),
        ("me@[::1", "is no address"),
    ],
)
def test_what_names_nothing_is_refused(inventory: Inventory, pattern: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(inventory, pattern, {})
    assert message in str(caught.value)


def test_a_host_named_by_its_address_is_the_inventorys(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("hosts: {10.0.0.5: {port: 2222}, 'fd00::5': {user: me}, other: }\n")
    inventory = read_inventory([tmp_path / "hosts.yml"])
    assert [(host.name, host.port, host.user) for host in select(inventory, "10.0.0.5,fd00::5", {})] == [
        ("10.0.0.5", 2222, None),
        ("fd00::5", None, "me"),
    ]
    assert [host.name for host in select(inventory, "all,!fd00::5", {})] == ["10.0.0.5", "other"]
    assert [host.name for host in select(inventory, "all:!10.0.0.5", {})] == ["fd00::5", "other"]


def test_one_address_for_several_hosts_is_refused(inventory: Inventory) -> None:
    extra = {"address": parse("10.0.0.9", None, "--set address")}
    assert [host.address for host in select(inventory, "web1", extra)] == ["10.0.0.9"]
    with pytest.raises(UsageError, match="--set address: an address belongs to one host"):
        select(inventory, "web", extra)


def test_an_empty_inventory_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"\./inv lab\.up"):
        select(read_inventory([]), "web1", {})
    with pytest.raises(UsageError, match="leaves no host"):
        select(read_inventory([]), "all", {})
