"""Known hosts and what is done about a key that is not known."""

from __future__ import annotations

import stat
from pathlib import Path

import paramiko
import pytest

from fleet.errors import UnreachableError
from fleet.transport.hostkeys import KnownHosts, Policy, changed, entry_name
from fleet.transport.policies import stricter

KEY = paramiko.ECDSAKey.generate(bits=256)
OTHER = paramiko.ECDSAKey.generate(bits=256)


def hashed(name: str) -> str:
    return f"{paramiko.HostKeys.hash_host(name)} {KEY.get_name()} {KEY.get_base64()}\n"


def meet(known: KnownHosts, key: paramiko.PKey, policy: str = "strict", name: str = "", port: int = 22) -> None:
    """A host shows a key that none is known for."""
    place = entry_name("10.0.0.1", port)
    Policy(known, policy, name or place, "10.0.0.1", port).missing_host_key(paramiko.SSHClient(), place, key)


@pytest.mark.parametrize("name", ["10.0.0.1", "[10.0.0.1]:2222", "box.example.com"])
def test_known_hosts_with_plain_and_hashed_names(tmp_path: Path, name: str) -> None:
    plain, hidden = tmp_path / "plain", tmp_path / "hidden"
    plain.write_text(f"# comment\n{name},other {KEY.get_name()} {KEY.get_base64()}\n")
    hidden.write_text(hashed(name))
    for file in (plain, hidden):
        assert KnownHosts([file]).of_host(name) == [(KEY.get_name(), KEY)]
        assert KnownHosts([file]).of_host("10.0.0.9") == []


@pytest.mark.parametrize("name", ["|1|c2FsdA==", "|1|a|b|c", "|1|-|-", "|2|c2FsdA==|aGFzaA=="])
def test_a_hash_that_is_none_is_nobodys_and_spoils_nothing(tmp_path: Path, name: str) -> None:
    file = tmp_path / "known"
    file.write_text(f"{name} {KEY.get_name()} {KEY.get_base64()}\n{hashed('10.0.0.1')}")
    known = KnownHosts([file])
    assert known.of_host("10.0.0.1") == [(KEY.get_name(), KEY)]
    assert known.of_host(name) == []


def test_an_unknown_key_is_refused_with_the_way_to_make_it_known(tmp_path: Path) -> None:
    known = KnownHosts([tmp_path / "known"])
    with pytest.raises(UnreachableError) as caught:
        meet(known, KEY, port=2222)
    text = str(caught.value)
    assert f"the host key of [10.0.0.1]:2222 is not known: ECDSA {KEY.fingerprint}" in text
    assert f"ssh-keyscan -p 2222 10.0.0.1 >> {tmp_path}/known" in text
    assert "ssh-keygen -F '[10.0.0.1]:2222'" in text
    assert "--host-key-policy accept-new" in text
    assert not (tmp_path / "known").exists()


def test_an_accepted_key_is_written_down_once_and_known_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known"
    known = KnownHosts([file])
    meet(known, KEY, "accept-new")
    assert known.of_host("10.0.0.1") == [(KEY.get_name(), KEY)]
    assert KnownHosts([file]).of_host("10.0.0.1") == [(KEY.get_name(), KEY)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    known.accept("10.0.0.2", OTHER)
    assert len(file.read_text().splitlines()) == 2


def test_two_threads_that_meet_a_host_write_its_key_once_and_refuse_a_second_one(tmp_path: Path) -> None:
    known = KnownHosts([tmp_path / "known"])
    for _ in range(2):
        meet(known, KEY, "accept-new")
    assert len((tmp_path / "known").read_text().splitlines()) == 1
    with pytest.raises(paramiko.BadHostKeyException):
        meet(known, OTHER, "accept-new")


def test_a_key_that_cannot_be_written_down_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    known = KnownHosts([tmp_path / "known" / "below"])
    with pytest.raises(
        UnreachableError, match=r"the host key of 10\.0\.0\.1 cannot be written to .*below: (Not a dir|File exists)"
    ):
        known.accept("10.0.0.1", KEY)
    assert known.of_host("10.0.0.1") == []


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_a_revoked_key_is_refused_under_every_policy(tmp_path: Path, policy: str) -> None:
    entry = f"{KEY.get_name()} {KEY.get_base64()}\n"
    (tmp_path / "known").write_text(f"10.0.0.1 {entry}@revoked * {entry}")
    known = KnownHosts([tmp_path / "known"])
    assert known.of_host("10.0.0.1") == []
    with pytest.raises(UnreachableError, match=r"the host key of 10\.0\.0\.1 is revoked"):
        meet(known, KEY, policy)


def test_a_certificate_authority_spoils_no_file_of_keys(tmp_path: Path) -> None:
    entry = f"{KEY.get_name()} {KEY.get_base64()}\n"
    (tmp_path / "known").write_text(f"@cert-authority *.example.com {entry}\n10.0.0.1 {entry}")
    assert KnownHosts([tmp_path / "known"]).of_host("10.0.0.1") == [(KEY.get_name(), KEY)]


def test_a_changed_key_is_told_loudly() -> None:
    error = changed("10.0.0.1", [Path("/k")], paramiko.BadHostKeyException("10.0.0.1", OTHER, KEY))
    assert error.brief.startswith("THE HOST KEY OF 10.0.0.1 HAS CHANGED")
    assert KEY.fingerprint in error.details
    assert OTHER.fingerprint in error.details
    assert "ssh-keygen -R '10.0.0.1' -f /k" in error.resolution


def test_a_broken_file_of_keys_is_told(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("10.0.0.1 ssh-ed25519 broken!\n")
    with pytest.raises(UnreachableError, match=r"a key of the known hosts is broken: 10\.0\.0\.1 ssh-ed25519 broken!"):
        KnownHosts([tmp_path / "known"])
    (tmp_path / "known").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UnreachableError, match="known hosts are no text"):
        KnownHosts([tmp_path / "known"])
    with pytest.raises(UnreachableError, match=r"known hosts cannot be read from .*: Is a directory"):
        KnownHosts([tmp_path])


def test_a_key_known_by_an_authority_alone_is_refused_by_name(tmp_path: Path) -> None:
    entry = f"{OTHER.get_name()} {OTHER.get_base64()}\n"
    (tmp_path / "known").write_text(f"# ours\n@cert-authority *.example.com,10.0.0.* {entry}")
    known = KnownHosts([tmp_path / "known"])
    with pytest.raises(UnreachableError) as caught:
        meet(known, KEY, "accept-new")
    assert "known by an authority's word alone, and host certificates are not checked here" in caught.value.brief
    assert f"{tmp_path}/known:2" in caught.value.details
    meet(known, KEY, "accept-new", name="elsewhere.org")


def test_a_host_with_an_alias_is_fetched_under_it(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        meet(KnownHosts([tmp_path / "known"]), KEY, name="inner")
    assert f"ssh-keyscan 10.0.0.1 | sed 's/^[^ ]*/inner/' >> {tmp_path}/known" in caught.value.resolution


@pytest.mark.parametrize(
    ("names", "host", "known"),
    [
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "A.Example.com", True),
        ("*.example.com,!b.example.com", "b.example.com", False),
        ("10.0.0.?", "10.0.0.7", True),
        ("10.0.0.?", "10.0.0.77", False),
        ("[*.example.com]:2222", "[a.example.com]:2222", True),
        ("[*.example.com]:2222", "a.example.com", False),
        ("Box", "box", True),
    ],
)
def test_names_with_wildcards_and_without_regard_to_case(tmp_path: Path, names: str, host: str, known: bool) -> None:
    (tmp_path / "known").write_text(f"{names} {KEY.get_name()} {KEY.get_base64()}\n")
    assert bool(KnownHosts([tmp_path / "known"]).of_host(host)) is known


def test_keys_of_a_type_that_is_not_spoken_here_and_broken_lines_spoil_nothing(tmp_path: Path) -> None:
    text = f"10.0.0.1 sk-ssh-ed25519@openssh.com AAAA\n10.0.0.1 short\n\n10.0.0.1 {KEY.get_name()} {KEY.get_base64()} a comment\n"
    (tmp_path / "known").write_text(text)
    assert KnownHosts([tmp_path / "known"]).of_host("10.0.0.1") == [(KEY.get_name(), KEY)]


def test_off_lets_every_key_pass_and_writes_none_down(tmp_path: Path) -> None:
    meet(KnownHosts([tmp_path / "known"]), KEY, "off")
    assert not (tmp_path / "known").exists()


@pytest.mark.parametrize(
    ("one", "other", "stricter_one"), [("strict", "off", "strict"), ("off", "accept-new", "accept-new"), ("off", "off", "off")]
)
def test_the_stricter_policy_counts(one: str, other: str, stricter_one: str) -> None:
    assert stricter(one, other) == stricter(other, one) == stricter_one
