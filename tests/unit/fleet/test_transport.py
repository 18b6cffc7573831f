from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Dict, List, Optional

import fabric
import paramiko
import pytest
from paramiko.ssh_exception import NoValidConnectionsError, PasswordRequiredException

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import END, ERR, OUT, Channel, local
from fleet.transport.faults import explain, is_passing
from fleet.transport.hostkeys import KnownHosts, Policy, changed
from fleet.transport.local import LocalTransport
from fleet.transport.ssh import Login, SshTransport, entry_name

KEY = paramiko.ECDSAKey.generate(bits=256)
OTHER = paramiko.ECDSAKey.generate(bits=256)


def drain(channel: Channel) -> Dict[str, bytes]:
    found = {OUT: b"", ERR: b""}
    while True:
        received = channel.receive(5)
        assert received is not None
        if received.stream == END:
            return found
        found[received.stream] += received.data


def test_a_local_command_has_its_three_streams_and_a_status() -> None:
    transport = LocalTransport()
    channel = transport.open("read line; echo got $line; echo oops >&2; cat >/dev/null; exit 3")
    channel.send(b"x\n", 5)
    channel.close_input()
    assert drain(channel) == {OUT: b"got x\n", ERR: b"oops\n"}
    assert channel._process.wait(5) == 3
    assert channel.status() == 3
    transport.close()


def test_a_local_command_that_is_gone_is_told() -> None:
    transport = LocalTransport()
    channel = transport.open("exit 0")
    drain(channel)
    with pytest.raises(UnreachableError, match="ended or hangs"):
        channel.send(b"x" * (1 << 20), 0.1)
    transport.close()


def test_a_local_command_that_goes_on_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = LocalTransport()
    channel = transport.open("exec sleep 60")
    waits: List[object] = []
    monkeypatch.setattr(local, "LINGER", 0.01)
    monkeypatch.setattr(channel._process, "wait", waits.append)
    channel.close()
    transport.close()
    assert waits == [0.01]
    monkeypatch.undo()
    channel._process.kill()
    channel._process.wait()


def test_a_local_command_that_reads_nothing_is_given_up() -> None:
    transport = LocalTransport()
    channel = transport.open("exec sleep 60")
    with pytest.raises(UnreachableError, match=r"took nothing for 0\.1 s"):
        channel.send(b"x" * (1 << 20), 0.1)
    channel._process.kill()
    transport.close()


def test_nothing_to_receive_is_none() -> None:
    transport = LocalTransport()
    channel = transport.open("sleep 5")
    assert channel.receive(0.01) is None
    channel._process.kill()
    channel._process.wait()
    transport.close()


def hashed(name: str) -> str:
    return f"{paramiko.HostKeys.hash_host(name)} {KEY.get_name()} {KEY.get_base64()}\n"


@pytest.mark.parametrize("name", ["10.0.0.1", "[10.0.0.1]:2222", "box.example.com"])
def test_known_hosts_with_plain_and_hashed_names(tmp_path: Path, name: str) -> None:
    plain, hidden = tmp_path / "plain", tmp_path / "hidden"
    plain.write_text(f"# comment\n{name},other {KEY.get_name()} {KEY.get_base64()}\n")
    hidden.write_text(hashed(name))
    for file in (plain, hidden):
        assert KnownHosts([file], "strict").of_host(name) == [(KEY.get_name(), KEY)]
        assert KnownHosts([file], "strict").of_host("10.0.0.9") == []


def test_an_unknown_key_is_refused_with_the_way_to_make_it_known(tmp_path: Path) -> None:
    known = KnownHosts([tmp_path / "known"], "strict")
    with pytest.raises(UnreachableError) as caught:
        Policy(known, 2222).missing_host_key(paramiko.SSHClient(), "[10.0.0.1]:2222", KEY)
    text = str(caught.value)
    assert f"the host key of [10.0.0.1]:2222 is not known: ECDSA {KEY.fingerprint}" in text
    assert f"ssh-keyscan -p 2222 10.0.0.1 >> {tmp_path}/known" in text
    assert "ssh-keygen -F '[10.0.0.1]:2222'" in text
    assert "--host-key-policy accept-new" in text
    assert not (tmp_path / "known").exists()


def test_an_accepted_key_is_written_down_once_and_known_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known"
    known = KnownHosts([file], "accept-new")
    Policy(known, 22).missing_host_key(paramiko.SSHClient(), "10.0.0.1", KEY)
    assert known.of_host("10.0.0.1") == [(KEY.get_name(), KEY)]
    assert KnownHosts([file], "strict").of_host("10.0.0.1") == [(KEY.get_name(), KEY)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    known.accept("10.0.0.2", OTHER)
    assert len(file.read_text().splitlines()) == 2


def test_two_threads_that_meet_a_host_write_its_key_once_and_refuse_a_second_one(tmp_path: Path) -> None:
    known = KnownHosts([tmp_path / "known"], "accept-new")
    for _ in range(2):
        Policy(known, 22).missing_host_key(paramiko.SSHClient(), "10.0.0.1", KEY)
    assert len((tmp_path / "known").read_text().splitlines()) == 1
    with pytest.raises(paramiko.BadHostKeyException):
        Policy(known, 22).missing_host_key(paramiko.SSHClient(), "10.0.0.1", OTHER)


def test_a_key_that_cannot_be_written_down_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    known = KnownHosts([tmp_path / "known" / "below"], "accept-new")
    with pytest.raises(
        UnreachableError, match=r"the host key of 10\.0\.0\.1 cannot be written to .*below: (Not a dir|File exists)"
    ):
        known.accept("10.0.0.1", KEY)
    assert known.of_host("10.0.0.1") == []


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
def test_a_revoked_key_is_refused_under_every_policy(tmp_path: Path, policy: str) -> None:
    entry = f"{KEY.get_name()} {KEY.get_base64()}\n"
    (tmp_path / "known").write_text(f"10.0.0.1 {entry}@revoked * {entry}")
    known = KnownHosts([tmp_path / "known"], policy)
    assert known.of_host("10.0.0.1") == []
    with pytest.raises(UnreachableError, match=r"the host key of 10\.0\.0\.1 is revoked"):
        Policy(known, 22).missing_host_key(paramiko.SSHClient(), "10.0.0.1", KEY)


def test_a_certificate_authority_spoils_no_file_of_keys(tmp_path: Path) -> None:
    entry = f"{KEY.get_name()} {KEY.get_base64()}\n"
    (tmp_path / "known").write_text(f"@cert-authority *.example.com {entry}\n10.0.0.1 {entry}")
    assert KnownHosts([tmp_path / "known"], "strict").of_host("10.0.0.1") == [(KEY.get_name(), KEY)]


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Login("secret"))


def test_a_changed_key_is_told_loudly() -> None:
    error = changed("10.0.0.1", [Path("/k")], paramiko.BadHostKeyException("10.0.0.1", OTHER, KEY))
    assert error.brief.startswith("THE HOST KEY OF 10.0.0.1 HAS CHANGED")
    assert KEY.fingerprint in error.details
    assert OTHER.fingerprint in error.details
    assert "ssh-keygen -R '10.0.0.1' -f /k" in error.resolution


def test_a_broken_file_of_keys_is_told(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("10.0.0.1 ssh-ed25519 broken!\n")
    with pytest.raises(UnreachableError, match=r"a key of the known hosts is broken: 10\.0\.0\.1 ssh-ed25519 broken!"):
        KnownHosts.of(tmp_path / "known", "strict")
    (tmp_path / "known").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UnreachableError, match="known hosts are no text"):
        KnownHosts.of(tmp_path / "known", "strict")
    with pytest.raises(UnreachableError, match=r"known hosts cannot be read from .*: Is a directory"):
        KnownHosts.of(tmp_path, "strict")


def test_the_inventorys_file_of_keys_replaces_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert KnownHosts.of(tmp_path / "mine", "strict").files == [tmp_path / "mine"]
    assert KnownHosts.of(None, "strict").files == [tmp_path / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")]


REFUSED = NoValidConnectionsError({("10.0.0.1", 22): ConnectionRefusedError(errno.ECONNREFUSED, "refused")})
NO_ROUTE = NoValidConnectionsError({("10.0.0.1", 22): OSError(errno.EHOSTUNREACH, "no route to host")})


@pytest.mark.parametrize(
    ("error", "passing", "message"),
    [
        (REFUSED, True, "10.0.0.1 port 22 refuses connections"),
        (NO_ROUTE, False, "10.0.0.1 port 22 cannot be reached"),
        (ConnectionResetError("reset"), True, "closed the connection before SSH began"),
        (EOFError(), True, "closed the connection before SSH began"),
        (paramiko.SSHException("Error reading SSH protocol banner"), True, "closed the connection before SSH began"),
        (socket.timeout("timed out"), False, "did not answer within 10 s"),
        (socket.gaierror(-2, "Name or service not known"), False, "10.0.0.1 is no known host name"),
        (paramiko.AuthenticationException("no"), False, "me@10.0.0.1 port 22 refused to let us in"),
        (paramiko.SSHException("No authentication methods available"), False, "refused to let us in"),
        (PasswordRequiredException("locked"), False, "the key for me@10.0.0.1 port 22 is encrypted"),
        (FileNotFoundError(2, "No such file", "/keys/id"), False, "the key for me@10.0.0.1 port 22 is missing: /keys/id"),
        (PermissionError(13, "denied", "/keys/id"), False, "cannot be read: /keys/id"),
        (ValueError("odd"), False, "cannot be reached: odd"),
    ],
)
def test_failures_to_connect_are_told_in_words(error: Exception, passing: bool, message: str) -> None:
    assert is_passing(error) is passing
    assert message in explain(error, Host("h", "10.0.0.1", port=22), "me", 10).brief


class Server:
    """Accepts on the loopback, and closes each connection at once, as an sshd at its limit does."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def transport(port: int, waits: List[float], gives_up: bool = False) -> SshTransport:
    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return gives_up

    login = Login("secret", connect_timeout=5)
    host = Host("h", "127.0.0.1", port=port, user="me")
    return SshTransport(host, login, login.config(), KnownHosts([Path(os.devnull)], "strict"), wait)


def test_a_connect_is_tried_again_with_a_growing_jittered_delay() -> None:
    server, waits = Server(), []  # type: ignore[var-annotated] # told by its use
    try:
        with pytest.raises(UnreachableError, match=f"127.0.0.1 port {server.port} closed the connection before SSH began"):
            transport(server.port, waits).open("true")
        assert server.accepted == 4
    finally:
        server.close()
    bounds = [(0.2, 0.6), (0.4, 1.2), (0.8, 2.4)]
    assert all(low <= wait <= high for wait, (low, high) in zip(waits, bounds))
    assert len(waits) == len(bounds)


@pytest.mark.parametrize("limits", [{"banner_timeout": 1}, {"connect_timeout": 1}])
def test_a_host_that_accepts_and_says_nothing_is_waited_for_once(limits: Dict[str, int]) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    waits: List[float] = []
    host = Host("h", "127.0.0.1", port=silent.getsockname()[1], user="me")
    login = Login("secret", None, **limits)

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return True

    mute = SshTransport(host, login, login.config(), KnownHosts([], "strict"), wait)
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    with silent, pytest.raises(UnreachableError, match="accepts connections, but no SSH server answers there"):
        mute.open("true")
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(5)
    assert waits == []
    assert (threading.active_count(), len(os.listdir("/proc/self/fd")) + 1) == before


def test_a_changed_key_is_told_of_the_jump_host_that_showed_it() -> None:
    through = transport(22, [])
    through._connection = fabric.Connection("10.0.0.9", gateway=fabric.Connection("10.0.0.8", port=2222))
    assert through._shown_by(paramiko.BadHostKeyException("10.0.0.8", OTHER, KEY)) == "[10.0.0.8]:2222"
    assert through._shown_by(paramiko.BadHostKeyException("10.0.0.9", OTHER, KEY)) == "10.0.0.9"


def test_a_refused_connect_gives_up_when_the_run_is_interrupted() -> None:
    server, waits = Server(), []  # type: ignore[var-annotated] # told by its use
    server.close()
    with pytest.raises(UnreachableError, match="interrupted while connecting"):
        transport(server.port, waits, gives_up=True).open("true")
    assert len(waits) == 1


@pytest.mark.parametrize(("port", "name"), [(22, "h"), (2222, "[h]:2222")])
def test_names_in_known_hosts(port: Optional[int], name: str) -> None:
    assert entry_name("h", port or 22) == name
