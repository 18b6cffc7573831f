"""The hops to a host, by OpenSSH's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import pytest

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import sshconfig
from fleet.transport.route import Hop, route

SYSTEM = Path("/etc/ssh/ssh_known_hosts")


def hops(tmp_path: Path, text: str, **host: object) -> List[Hop]:
    (tmp_path / "config").write_text(text)
    return route(Host("box", "box", **host), sshconfig.read([tmp_path / "config"]))  # type: ignore[arg-type] # the inventory's


def named(found: List[Hop]) -> List[str]:
    return [f"{hop.user}@{hop.address}:{hop.port}" for hop in found]


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "me")


def test_without_configuration_the_inventory_says_all(tmp_path: Path) -> None:
    (hop,) = hops(tmp_path, "", user="ann", port=2222, identity_file=Path("/k"), known_hosts=Path("/known"))
    assert hop == Hop("box", 2222, "ann", (Path("/k"),), (Path("/k"),), known_hosts=(Path("/known"),), key_name="[box]:2222")


def test_what_the_inventory_leaves_open_is_configured(tmp_path: Path) -> None:
    text = """Host box
        HostName 10.0.0.9
        User=ann
        Port 2200
        IdentityFile ~/one
        IdentityFile /two
        IdentitiesOnly yes
        HostKeyAlias inner
        UserKnownHostsFile ~/mine /more
        StrictHostKeyChecking yes
        ConnectTimeout 3
    """
    (hop,) = hops(tmp_path, text)
    assert hop == Hop(
        "10.0.0.9", 2200, "ann", (tmp_path / "one", Path("/two")), (), True,
        (tmp_path / "mine", Path("/more"), SYSTEM), "inner", "strict", "", 3,
    )  # fmt: skip
    assert named(hops(tmp_path, text, user="bob", port=22)) == ["bob@10.0.0.9:22"]


@pytest.mark.parametrize(
    ("word", "policy"), [("yes", "strict"), ("accept-new", "accept-new"), ("no", ""), ("ask", ""), ("off", "")]
)
def test_checking_is_made_stricter_alone(tmp_path: Path, word: str, policy: str) -> None:
    assert hops(tmp_path, f"Host *\n StrictHostKeyChecking {word}\n")[0].policy == policy


def test_several_jump_hosts_each_with_its_own_settings(tmp_path: Path) -> None:
    text = """Host box
        ProxyJump one,ann@two:2222,ssh://[fd00::3]:24
    Host one
        HostName 10.0.0.1
        User first
        Port 2201
        IdentityFile /one
    Host two
        HostName 10.0.0.2
        User nobody
        ProxyJump never
        StrictHostKeyChecking yes
    Host *
        User me
    """
    found = hops(tmp_path, text)
    assert named(found) == ["first@10.0.0.1:2201", "ann@10.0.0.2:2222", "me@fd00::3:24", "me@box:22"]
    assert [hop.jump for hop in found] == [True, True, True, False]
    assert [hop.keys for hop in found] == [(Path("/one"),), (), (), ()]
    assert [hop.policy for hop in found] == ["", "strict", "", ""]
    assert found[2].target == "jump host [fd00::3] port 24"


def test_a_jump_host_behind_another(tmp_path: Path) -> None:
    text = "Host box\n ProxyJump inner\nHost inner\n ProxyJump outer\nHost outer\n ProxyCommand nc %h %p\nHost *\n User me\n"
    found = hops(tmp_path, text)
    assert named(found) == ["me@outer:22", "me@inner:22", "me@box:22"]
    assert [hop.command for hop in found] == ["nc outer 22", "", ""]


def test_a_jump_host_for_all_is_met_directly_itself(tmp_path: Path) -> None:
    text = "Host gate\n HostName 10.0.0.1\nHost *\n User me\n ProxyJump gate\n"
    assert named(hops(tmp_path, text)) == ["me@10.0.0.1:22", "me@box:22"]
    (tmp_path / "config").write_text(text)
    assert named(route(Host("gate", "gate"), sshconfig.read([tmp_path / "config"]))) == ["me@10.0.0.1:22"]


def test_none_ends_it(tmp_path: Path) -> None:
    text = "Host box\n ProxyJump none\n ProxyCommand none\n UserKnownHostsFile none\nHost *\n User me\n ProxyJump gate\n"
    (hop,) = hops(tmp_path, text)
    assert (hop.command, hop.known_hosts[0]) == ("", Path(os.devnull))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host box\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n", "leads in a circle"),
        ("Host box\n ProxyJump a b\n", "'a b' is neither an IP address nor a host's name"),
        ("Host box\n ConnectTimeout soon\n", "connecttimeout should be a number, not 'soon'"),
        ("Host\n", "is not understood"),
    ],
)
def test_faults_are_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        hops(tmp_path, text)
    assert message in str(caught.value)


def test_a_proxy_command_knows_what_the_inventory_says(tmp_path: Path) -> None:
    (hop,) = hops(tmp_path, "Host box\n User x\n Port 1\n ProxyCommand gate %r %h %p\n", user="ann", port=2222)
    assert hop.command == "gate ann box 2222"


def test_included_files_are_followed_in_their_place(tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "more").mkdir(parents=True)
    (tmp_path / ".ssh" / "more" / "a.conf").write_text("Host box\n User included\n")
    (tmp_path / ".ssh" / "more" / "b.conf").write_text("Host other\n Port 9\n")
    text = "Include more/*.conf nothing/*\nHost box\n User late\n Include ~/.ssh/more/b.conf\n Port 2222\n"
    assert named(hops(tmp_path, text)) == ["included@box:2222"]


def test_the_inventorys_file_of_keys_replaces_all_others(tmp_path: Path) -> None:
    text = "Host box\n ProxyJump gate\n UserKnownHostsFile /theirs\n"
    assert {hop.known_hosts for hop in hops(tmp_path, text, known_hosts=Path("/mine"))} == {(Path("/mine"),)}
    assert hops(tmp_path, "")[0].known_hosts == (tmp_path / ".ssh" / "known_hosts", SYSTEM)
