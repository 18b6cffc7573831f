from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import Dict, List, Optional

import fabric
import paramiko
import pytest
from paramiko.ssh_exception import PasswordRequiredException

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import END, ERR, OUT, Channel, local
from fleet.transport.access import Access
from fleet.transport.dial import Unanswered
from fleet.transport.faults import explain, is_passing
from fleet.transport.hostkeys import entry_name
from fleet.transport.local import LocalTransport
from fleet.transport.login import Login
from fleet.transport.route import Hop
from fleet.transport.ssh import SshTransport
from fleet.transport.stop import Stop


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


def test_no_connection_sees_what_another_writes_to_its_configuration() -> None:
    access = Access(Login())
    one, other = (fabric.Connection("h", user="u", port=22, config=access.fabric()) for _ in range(2))
    one.word = "written"
    assert "word" in one.config
    assert "word" not in other.config
    assert other.authentication.strategy_class is None


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Login("secret", "secret"))


REFUSED = Unanswered({("10.0.0.1", 22): ConnectionRefusedError(errno.ECONNREFUSED, "refused")})
NO_ROUTE = Unanswered({("10.0.0.1", 22): OSError(errno.EHOSTUNREACH, "no route to host")})


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
        (PasswordRequiredException("locked"), False, "the key for me@10.0.0.1 port 22 is locked"),
        (FileNotFoundError(2, "No such file", "/keys/id"), False, "the key for me@10.0.0.1 port 22 is missing: /keys/id"),
        (PermissionError(13, "denied", "/keys/id"), False, "cannot be read: /keys/id"),
        (paramiko.ChannelException(2, "Connect failed"), False, "10.0.0.1 port 22 cannot be reached from the jump host before it"),
        (ValueError("odd"), False, "cannot be reached: odd"),
    ],
)
def test_failures_to_connect_are_told_in_words(error: Exception, passing: bool, message: str) -> None:
    assert is_passing(error) is passing
    assert message in explain(error, Hop("10.0.0.1", 22, "me"), 10).brief


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


class Waits(Stop):
    """A stop that keeps how long it was waited for, and comes at the first wait if so told."""

    def __init__(self, comes: bool = False) -> None:
        super().__init__()
        self._comes = comes
        self.seconds: List[float] = []

    def wait(self, timeout: Optional[float] = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return self._comes


def transport(port: int, stop: Stop, **limits: int) -> SshTransport:
    host = Host("h", "127.0.0.1", port=port, user="me", known_hosts=Path(os.devnull))
    login = Login("secret", **{"connect_timeout": 5, **limits})  # type: ignore[arg-type] # seconds
    return SshTransport(host, Access(login), login, stop)


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def test_a_connect_is_tried_again_with_a_growing_jittered_delay() -> None:
    server, stop = Server(), Waits()
    try:
        with pytest.raises(UnreachableError, match=f"127.0.0.1 port {server.port} closed the connection before SSH began"):
            transport(server.port, stop).open("true")
        assert server.accepted == 4
    finally:
        server.close()
    bounds = [(0.2, 0.6), (0.4, 1.2), (0.8, 2.4)]
    assert all(low <= wait <= high for wait, (low, high) in zip(stop.seconds, bounds))
    assert len(stop.seconds) == len(bounds)


@pytest.mark.parametrize("limits", [{"banner_timeout": 1}, {"connect_timeout": 1}])
def test_a_host_that_accepts_and_says_nothing_is_waited_for_once(limits: Dict[str, int]) -> None:
    silent, stop = socket.create_server(("127.0.0.1", 0)), Waits()
    mute = transport(silent.getsockname()[1], stop, **limits)
    threads, before = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    with silent, pytest.raises(UnreachableError, match="accepts connections, but no SSH server answers there"):
        mute.open("true")
    left = set(threading.enumerate()) - threads
    for thread in left:
        thread.join(5)
    assert stop.seconds == []
    assert not [thread for thread in left if thread.is_alive()]
    assert len(os.listdir("/proc/self/fd")) + 1 == before


@pytest.mark.parametrize("backlog", [1, None])
def test_a_stop_cuts_a_connect_that_would_hang_for_long(backlog: Optional[int]) -> None:
    """Both that of a host that says nothing, and that of one whose queue is full, so that no connection comes about."""
    silent, stop = socket.create_server(("127.0.0.1", 0), backlog=backlog or 0), Stop()
    port = silent.getsockname()[1]
    # A listener with a queue of 0 takes one connection; the next one's first packet is dropped.
    full = [] if backlog else [socket.create_connection(("127.0.0.1", port))]
    hanging = transport(port, stop, connect_timeout=3600, banner_timeout=3600)
    said: List[str] = []

    def connect() -> None:
        with pytest.raises(UnreachableError) as caught:
            hanging.open("true")
        said.append(caught.value.brief)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    stop.set()
    stop.cut()
    thread.join(20)
    hanging.close()
    silent.close()
    for connection in full:
        connection.close()
    assert said == [f"interrupted while connecting to 127.0.0.1 port {port}"]


def test_a_refused_connect_gives_up_when_the_run_is_interrupted() -> None:
    server, stop = Server(), Waits(comes=True)
    server.close()
    with pytest.raises(UnreachableError, match="interrupted while connecting"):
        transport(server.port, stop).open("true")
    assert len(stop.seconds) == 1


@pytest.mark.parametrize(("port", "name"), [(22, "h"), (2222, "[h]:2222")])
def test_names_in_known_hosts(port: Optional[int], name: str) -> None:
    assert entry_name("h", port or 22) == name
