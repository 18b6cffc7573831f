"""What travels together on a connection, against paramiko's own server under several names."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import END, OUT
from fleet.transport.access import Access
from fleet.transport.dial import Unanswered, ahead
from fleet.transport.faults import is_passing
from fleet.transport.flights import Flights
from fleet.transport.login import Login
from fleet.transport.ssh import SshTransport
from fleet.transport.stop import Stop
from tests.lab.relay import Relay

HOST_KEY, OTHER_KEY = paramiko.ECDSAKey.generate(bits=256), paramiko.ECDSAKey.generate(bits=256)
OPENSSH, ANOTHER = "SSH-2.0-OpenSSH_9.2", "SSH-2.0-dropbear_2022"


class Door(paramiko.ServerInterface):
    """Lets the keys in that it is told, and answers each command with its own text."""

    def __init__(self, keys: List[str]) -> None:
        self.keys = keys
        self.asked: List[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.asked.append("login")
        return AUTH_SUCCESSFUL if key.get_base64() in self.keys else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.asked.append(kind)
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.asked.append("exec")
        # After this function's own answer, which comes first from a real server too.
        threading.Timer(0.05, answer, (channel, command)).start()
        return True


def answer(channel: paramiko.Channel, command: bytes) -> None:
    channel.sendall(command)
    channel.send_exit_status(0)
    channel.close()


class Server:
    """paramiko's server on the loopback; `first_channel` is the number that it gives its first channel."""

    def __init__(self, name: str, keys: List[str], first_channel: int = 0) -> None:
        self._name, self._keys, self._first = name, keys, first_channel
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: Tuple[str, int] = self._listener.getsockname()[:2]
        self.doors: List[Door] = []
        self._transports: List[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.local_version = self._name
            transport._channel_counter = self._first  # type: ignore[attr-defined]
            transport.add_server_key(HOST_KEY)
            self.doors.append(Door(self._keys))
            self._transports.append(transport)
            transport.start_server(event=threading.Event(), server=self.doors[-1])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()
            transport.join(5)
        self._thread.join(5)


@pytest.fixture
def keys(tmp_path: Path) -> Dict[str, paramiko.PKey]:
    made: Dict[str, paramiko.PKey] = {}
    for name in ("first", "second"):
        key = paramiko.ECDSAKey.generate(bits=256)
        key.write_private_key_file(str(tmp_path / name))
        made[name] = key
    return made


@pytest.fixture
def servers() -> Iterator[List[Server]]:
    made: List[Server] = []
    yield made
    for server in made:
        server.close()


def reach(
    address: Tuple[str, int], home: Path, known: paramiko.PKey = HOST_KEY, early: bool = True, seconds: Tuple[int, int] = (5, 30)
) -> SshTransport:
    """`seconds` are those of a connect, and those of the login and of the session each."""
    file = home / "known"
    file.write_text(f"[{address[0]}]:{address[1]} {known.get_name()} {known.get_base64()}\n")
    login = Login(connect_timeout=seconds[0], auth_timeout=seconds[1])
    host = Host("h", address[0], port=address[1], user="me", identity_file=home / "first", known_hosts=file)
    dialled = ahead(*address, 5, lambda: False, lambda: None) if early else None
    return SshTransport(host, Access(login), login, Stop(), dialled)


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def said(transport: SshTransport) -> bytes:
    channel = transport.open("echo")
    try:
        text = b""
        while (received := channel.receive(5)) is not None and received.stream != END:
            text += received.data if received.stream == OUT else b""
        return text
    finally:
        channel.close()
        transport.close()


@pytest.mark.parametrize("early", [True, False])
def test_four_round_trips_to_the_first_output_of_openssh(
    keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path, early: bool
) -> None:
    servers.append(Server(OPENSSH, [keys["first"].get_base64()]))
    relay = Relay(servers[0].address, delay=0.03)
    assert said(reach(("127.0.0.1", relay.port), tmp_path, early=early)) == b"echo"
    relay.close()
    assert [connection.round_trips for connection in relay.connections] == [4]
    assert servers[0].doors[0].asked[-2:] == ["session", "exec"]


def test_fabrics_own_configuration_leads_nowhere(keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path) -> None:
    (tmp_path / ".fabric.yml").write_text("gateway: 'false'\nforward_agent: true\n")
    servers.append(Server(OPENSSH, [keys["first"].get_base64()]))
    assert said(reach(servers[0].address, tmp_path)) == b"echo"


def test_packets_are_authenticated_by_their_cipher(keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path) -> None:
    servers.append(Server(OPENSSH, [keys["first"].get_base64()]))
    transport = reach(servers[0].address, tmp_path)
    channel = transport.open("echo")
    connection = transport._connections[-1].transport
    while (received := channel.receive(5)) is not None and received.stream != END:
        pass
    assert {connection.local_cipher, connection.remote_cipher} == {"aes128-gcm@openssh.com"}
    channel.close()
    transport.close()


def test_another_server_is_told_one_thing_after_the_other(
    keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path
) -> None:
    servers.append(Server(ANOTHER, [keys["first"].get_base64()]))
    relay = Relay(servers[0].address, delay=0.03)
    assert said(reach(("127.0.0.1", relay.port), tmp_path)) == b"echo"
    relay.close()
    assert [connection.round_trips for connection in relay.connections] == [6]


def test_a_server_that_ends_for_what_was_sent_ahead_of_a_refused_key_is_met_again(
    keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path
) -> None:
    servers.append(Server(OPENSSH, [keys["second"].get_base64()]))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(f"IdentityFile {tmp_path}/second\n")
    assert said(reach(servers[0].address, tmp_path)) == b"echo"
    # The second key may still come in time on the first connection; the command runs once either way.
    assert [door.asked.count("exec") for door in servers[0].doors] in ([0, 1], [1])


def test_a_server_with_channel_numbers_of_its_own_is_met_again(
    keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path
) -> None:
    servers.append(Server(OPENSSH, [keys["first"].get_base64()], first_channel=7))
    assert said(reach(servers[0].address, tmp_path)) == b"echo"
    assert [door.asked.count("exec") for door in servers[0].doors] == [0, 1]


def test_a_refusal_that_comes_while_it_is_being_sent_takes_the_session_along() -> None:
    ours, theirs = socket.socketpair()
    flights = Flights(ours, "echo", False)
    refusal = threading.Thread(target=flights.drop_ahead)

    class Name(str):
        def startswith(self, *_: object) -> bool:
            refusal.start()
            refusal.join(0.2)
            return True

    flights.remote_version = Name(OPENSSH)
    flights.send_ahead()
    refusal.join()
    assert flights._ahead is None
    ours.close()
    theirs.close()


@pytest.mark.parametrize(("name", "seconds"), [(OPENSSH, (1, 1)), (ANOTHER, (1, 1)), (OPENSSH, (2, 1))])
def test_a_server_that_never_begins_the_command_is_given_up(
    keys: Dict[str, paramiko.PKey],
    servers: List[Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seconds: Tuple[int, int],
) -> None:
    """After the login's seconds, or the connect's where these are more: a host that is slow to connect to is slow in all."""
    over = threading.Event()
    monkeypatch.setattr(Door, "check_channel_exec_request", lambda *_: over.wait(60))
    servers.append(Server(name, [keys["first"].get_base64()]))
    transport = reach(servers[0].address, tmp_path, seconds=seconds)
    found: List[UnreachableError] = []

    def begin() -> None:
        try:
            transport.open("echo")
        except UnreachableError as error:
            found.append(error)

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    thread.join(30)
    over.set()
    transport.close()
    assert [f"did not begin within {max(seconds)} s" in error.brief for error in found] == [True]


def test_a_wrong_host_key_is_told_nothing(keys: Dict[str, paramiko.PKey], servers: List[Server], tmp_path: Path) -> None:
    servers.append(Server(OPENSSH, [keys["first"].get_base64()]))
    with pytest.raises(UnreachableError, match="HAS CHANGED"):
        said(reach(servers[0].address, tmp_path, known=OTHER_KEY))
    assert [door.asked for door in servers[0].doors] == [[]]


@pytest.mark.parametrize("line", ["HostName elsewhere", "  proxyjump gate", "Match all"])
def test_a_configuration_that_leads_elsewhere_is_read_first(
    servers: List[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    from fleet.transport import dial as module

    servers.append(Server(OPENSSH, []))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(f"Host *\n{line}\n")
    module.detoured.cache_clear()
    try:
        assert ahead(*servers[0].address, 5, lambda: False, lambda: None) is None
    finally:
        module.detoured.cache_clear()


def test_nobody_there_is_told_when_it_is_asked_for() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    found = ahead("127.0.0.1", port, 5, lambda: False, lambda: None)
    assert isinstance(found, Unanswered)
    assert is_passing(found)


def test_what_is_not_used_is_closed(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        before = len(os.listdir("/proc/self/fd"))
        reach(listener.getsockname()[:2], tmp_path).close()
        assert len(os.listdir("/proc/self/fd")) == before
