"""What is offered to a server, in which order, and what is said when nothing was accepted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable, List, Optional, cast

import paramiko
import pytest
from paramiko.ssh_exception import PasswordRequiredException

from fleet.transport import credentials
from fleet.transport.credentials import Keys, Offers
from fleet.transport.login import Login
from fleet.transport.route import Hop

ONE, TWO = paramiko.ECDSAKey.generate(bits=256), paramiko.ECDSAKey.generate(bits=256)


class Server:
    """A server's side of a login: `accepts` are keys and passwords, `wants` what else it asks for after a key."""

    def __init__(self, *accepts: object, wants: str = "", patience: int = 6) -> None:
        self._accepts, self._wants, self._patience = accepts, wants, patience
        self.seen: List[object] = []

    def is_active(self) -> bool:
        return len(self.seen) < self._patience

    def auth_publickey(self, _user: str, key: paramiko.PKey) -> List[str]:
        self._meet(key)
        return [self._wants] if self._wants else []

    def auth_password(self, _user: str, password: str) -> List[str]:
        return self._meet(password)

    def _meet(self, offer: object) -> List[str]:
        self.seen.append(offer)
        if offer not in self._accepts:
            raise paramiko.AuthenticationException("no")
        return []


def log_in(server: Server, hop: Hop, password: str = "", passphrase: str = "") -> None:
    Offers(hop, Keys(), Login(password or None, passphrase or None)).authenticate(cast(paramiko.Transport, server))


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[paramiko.PKey, str], Path]:
    def write(key: paramiko.PKey, name: str) -> Path:
        (tmp_path / ".ssh").mkdir(exist_ok=True)
        key.write_private_key_file(str(tmp_path / ".ssh" / name))
        return tmp_path / ".ssh" / name

    return write


def test_named_keys_come_first_and_then_the_password(file: Callable[..., Path]) -> None:
    file(TWO, "id_ecdsa")
    server = Server("secret")
    log_in(server, Hop("h", 22, "me", keys=(file(ONE, "own"),)), "secret")
    assert server.seen == [ONE, "secret"]


def test_the_usual_files_are_offered_where_none_is_named(file: Callable[..., Path]) -> None:
    file(TWO, "id_ecdsa")
    server = Server(TWO)
    log_in(server, Hop("h", 22, "me"))
    assert server.seen == [TWO]
    with pytest.raises(paramiko.AuthenticationException, match="there was nothing to offer"):
        log_in(Server(TWO), Hop("h", 22, "me", only_these=True))


def test_a_second_factor_is_given_after_a_key_and_no_further_key_is_offered(file: Callable[..., Path]) -> None:
    server = Server(ONE, "secret", wants="password")
    log_in(server, Hop("h", 22, "me", keys=(file(ONE, "a"), file(TWO, "b"))), "secret")
    assert server.seen == [ONE, "secret"]
    with pytest.raises(paramiko.AuthenticationException, match="accepted, and password asked for"):
        log_in(Server(ONE, wants="password"), Hop("h", 22, "me", keys=(file(ONE, "a"),)))


def test_a_server_that_has_had_enough_is_offered_nothing_more(file: Callable[..., Path]) -> None:
    server = Server("secret", patience=1)
    with pytest.raises(paramiko.AuthenticationException, match=r"key .*/a: no\Z"):
        log_in(server, Hop("h", 22, "me", keys=(file(ONE, "a"), file(TWO, "b"))), "secret")
    assert server.seen == [ONE]


def test_no_jump_host_sees_the_password(file: Callable[..., Path]) -> None:
    server = Server("secret")
    with pytest.raises(paramiko.AuthenticationException):
        log_in(server, Hop("h", 22, "me", keys=(file(ONE, "a"),), jump=True), "secret")
    assert server.seen == [ONE]


def test_a_named_key_that_is_not_there_is_passed_over_unless_it_is_required(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    log_in(Server("secret"), Hop("h", 22, "me", keys=(missing,)), "secret")
    with pytest.raises(FileNotFoundError):
        log_in(Server("secret"), Hop("h", 22, "me", keys=(missing,), required=(missing,)), "secret")


@pytest.mark.parametrize(("kind", "form"), [("ed25519", ""), ("ecdsa", ""), ("rsa", ""), ("ecdsa", "PEM"), ("rsa", "PEM")])
def test_an_encrypted_key_is_opened_once_by_its_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, form: str
) -> None:
    path = tmp_path / "key"
    words = ["ssh-keygen", "-q", "-t", kind, "-N", "open sesame", "-f", str(path), *(("-m", form) if form else ())]
    subprocess.run(words, check=True)
    reads: List[Path] = []
    read = credentials.read

    def counted(path: Path, passphrase: Optional[bytes]) -> paramiko.PKey:
        reads.append(path)
        return read(path, passphrase)

    monkeypatch.setattr(credentials, "read", counted)
    keys = Keys()
    assert keys.load(path, "open sesame") is keys.load(path, "open sesame")
    assert reads == [path]
    assert keys.load(path, "open sesame").get_base64() == path.with_name("key.pub").read_text().split()[1]
    hop = Hop("h", 22, "me", keys=(path,))
    with pytest.raises(PasswordRequiredException, match="is encrypted, and there is no passphrase for it"):
        log_in(Server(), hop)
    with pytest.raises(PasswordRequiredException, match="the passphrase does not open"):
        log_in(Server(), hop, passphrase="wrong")
    log_in(Server("secret"), hop, "secret")


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("nothing\n")
    with pytest.raises(paramiko.SSHException, match="holds no private key"):
        log_in(Server(), Hop("h", 22, "me", keys=(path,), required=(path,)))


def test_an_agents_keys_and_only_those_named_where_that_is_asked_for(
    file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        while not (tmp_path / "agent").exists():
            assert agent.poll() is None
        for key, name in ((ONE, "a"), (TWO, "b")):
            subprocess.run(["ssh-add", "-q", str(file(key, name))], check=True, env=dict(os.environ))
        # The file is locked, but its public half tells which of the agent's keys it is.
        locked = tmp_path / ".ssh" / "b"
        locked.write_text("nothing\n")
        locked.with_name("b.pub").write_text(f"{TWO.get_name()} {TWO.get_base64()} me\n")
        server = Server("x")
        with pytest.raises(paramiko.AuthenticationException):
            log_in(server, Hop("h", 22, "me", keys=(locked,), required=(locked,), only_these=True))
        assert [key.asbytes() for key in server.seen] == [TWO.asbytes()]  # type: ignore[attr-defined] # keys
        with pytest.raises(paramiko.AuthenticationException):
            log_in(server, Hop("h", 22, "me"))
        assert {key.asbytes() for key in server.seen} == {ONE.asbytes(), TWO.asbytes()}  # type: ignore[attr-defined]
    finally:
        agent.terminate()
        agent.wait()
