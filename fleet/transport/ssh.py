"""The transport over SSH: one Fabric connection, one exec; host keys checked, connects retried with a jittered backoff."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import select
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Union

import fabric
import paramiko

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import END, ERR, OUT, Received
from fleet.transport.dial import CONNECT_TIMEOUT, SSH_PORT
from fleet.transport.faults import explain, is_passing
from fleet.transport.flights import Flights
from fleet.transport.hostkeys import KnownHosts, Policy, changed

SIZE = 1 << 16
ATTEMPTS = 4
FIRST_DELAY = 0.4
KEEPALIVE = 15
# The kernel gives a dead connection up after this many milliseconds without an acknowledgement.
DEAD_AFTER = 60_000
# Bytes given to paramiko at a time: its packets are no larger.
PIECE = 1 << 15

# What goes wrong is told by the error raised; paramiko's threads would print tracebacks of their own.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Login:
    """How to authenticate and how long to wait. `password` also opens an encrypted key, if there is no `passphrase`."""

    password: Optional[str] = field(default=None, repr=False)
    passphrase: Optional[str] = field(default=None, repr=False)
    connect_timeout: int = CONNECT_TIMEOUT
    banner_timeout: int = 20
    auth_timeout: int = 30

    def config(self) -> fabric.Config:
        """Fabric's configuration; ~/.ssh/config is read here, once for all hosts."""
        return fabric.Config(overrides={"timeouts": {"connect": self.connect_timeout}}, lazy=False)


class SshChannel:
    """An exec's streams."""

    def __init__(self, channel: paramiko.Channel, host: Host) -> None:
        self._channel = channel
        self._host = host
        self._room = select.poll()
        self._room.register(outermost(channel), select.POLLOUT)
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def send(self, data: bytes, patience: float) -> None:
        self._channel.settimeout(patience)
        rest = memoryview(data)
        try:
            while rest:
                # paramiko itself would wait for room in the socket without end, and copy all that is left with every packet.
                if not self._room.poll(patience * 1000):
                    raise TimeoutError(f"it took nothing for {patience:g} s")
                rest = rest[self._channel.send(bytes(rest[:PIECE])) :]
        except (OSError, EOFError) as error:
            raise self._lost(error) from error

    def close_input(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def receive(self, timeout: float) -> Optional[Received]:
        if not self._poll.poll(timeout * 1000):
            return None
        # stderr first: the word of a failing command should be there when its end is seen.
        if self._channel.recv_stderr_ready():
            return Received(ERR, self._channel.recv_stderr(SIZE))
        if self._channel.recv_ready():
            return Received(OUT, self._channel.recv(SIZE))
        transport = self._channel.get_transport()
        if not self._channel.eof_received and not transport.is_active():
            raise self._lost(transport.get_exception())
        return Received(END, b"")

    def status(self) -> Optional[int]:
        return self._channel.recv_exit_status() if self._channel.exit_status_ready() else None

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._channel.close()

    def _lost(self, error: Optional[BaseException]) -> UnreachableError:
        return UnreachableError(
            f"the connection to {self._host.target} was lost",
            str(error or ""),
            "run the same command again: it continues where this run ended",
        )


class SshTransport:
    """One host over SSH. `wait` sleeps between attempts and says whether to give up; `dialled` is what `dial` gave."""

    def __init__(
        self,
        host: Host,
        login: Login,
        config: fabric.Config,
        known: KnownHosts,
        wait: Callable[[float], bool],
        dialled: Union[socket.socket, TimeoutError, None] = None,
    ) -> None:
        self._host = host
        self._login = login
        self._config = config
        self._known = known
        self._wait = wait
        self._dialled = dialled
        self._send_ahead = True
        self._used = False
        self._connection = self._new_connection()
        self.user: str = self._connection.user

    def open(self, command: str) -> SshChannel:
        delay = FIRST_DELAY
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._open(command)
            except UnreachableError:
                self.close()
                raise
            except (OSError, EOFError, paramiko.SSHException) as error:
                again = self._send_ahead and self._in_doubt()
                self.close()
                if again:
                    # Met once more, a step at a time, before anything is said of it.
                    self._send_ahead = False
                    continue
                if attempt == ATTEMPTS or not is_passing(error):
                    raise explain(error, self._host, self.user, self._login.connect_timeout) from error
            # Hosts that were refused together must not come back together.
            if self._wait(delay * random.uniform(0.5, 1.5)):  # noqa: S311 # spreads load, guards nothing
                raise UnreachableError(f"interrupted while connecting to {self._host.target}")
            delay *= 2
        raise AssertionError("the last attempt returns or raises")

    def _open(self, command: str) -> SshChannel:
        self._connect(command)
        try:
            return SshChannel(self._connection.transport.session(command, self._login.auth_timeout), self._host)
        except (OSError, EOFError, paramiko.SSHException) as error:
            if self._in_doubt():
                raise
            raise UnreachableError(f"{self._host.target} opened no session: {error}") from error

    def _in_doubt(self) -> bool:
        transport = self._connection.client.get_transport()
        return isinstance(transport, Flights) and transport.in_doubt

    def _new_connection(self) -> Any:
        return fabric.Connection(
            self._host.address,
            user=self._host.user,
            port=self._host.port,
            config=self._config,
            connect_kwargs=self._options(),
        )

    def _connect(self, command: str) -> None:
        if self._used:
            self._connection = self._new_connection()
        self._used = True
        for hop in self._hops():
            hop.connect_kwargs["key_filename"] = self._keys(hop)
            self._check_keys(hop)
        dialled = self._take_dialled()
        ahead = command if self._send_ahead else None
        self._connection.connect_kwargs["transport_factory"] = partial(Flights, command=ahead, greeted=dialled is not None)
        if dialled is not None:
            self._connection.connect_kwargs["sock"] = dialled
        try:
            self._connection.open()
        except paramiko.BadHostKeyException as error:
            raise changed(self._shown_by(error), self._known.files, error) from error
        transport = self._connection.transport
        transport.set_keepalive(KEEPALIVE)
        if isinstance(transport.sock, socket.socket):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER)

    def _take_dialled(self) -> Optional[socket.socket]:
        """What was dialled, once, if it is where Fabric would connect to."""
        dialled, self._dialled = self._dialled, None
        where = (self._connection.host, self._connection.port, self._connection.gateway)
        if where != (self._host.address, self._host.port or SSH_PORT, None):
            if isinstance(dialled, socket.socket):
                dialled.close()
            return None
        if isinstance(dialled, TimeoutError):
            raise dialled
        return dialled

    def _options(self) -> Dict[str, Any]:
        options: Dict[str, Any] = {
            "banner_timeout": self._login.banner_timeout,
            "auth_timeout": self._login.auth_timeout,
            "channel_timeout": self._login.auth_timeout,
        }
        if self._host.identity_file is not None:
            options["key_filename"] = [str(self._host.identity_file)]
        if self._login.password is not None:
            options["password"] = self._login.password
        if self._login.passphrase is not None:
            options["passphrase"] = self._login.passphrase
        return options

    def _shown_by(self, error: paramiko.BadHostKeyException) -> str:
        """The name in known_hosts files of the one whose key is wrong: the host, or a jump host before it."""
        names = {hop.host: entry_name(hop.host, hop.port) for hop in self._hops()}
        return names.get(error.hostname, error.hostname)

    def _keys(self, hop: Any) -> List[str]:
        """The keys to try; one of ~/.ssh/config that is not there is passed over, as OpenSSH does."""
        named = hop.connect_kwargs.get("key_filename", [])
        return [name for name in named if name == str(self._host.identity_file) or os.path.exists(os.path.expanduser(name))]

    def _hops(self) -> List[Any]:
        """The connection and the jump hosts before it, whose keys are checked alike."""
        hops, hop = [], self._connection
        while isinstance(hop, fabric.Connection):
            hops.append(hop)
            hop = hop.gateway
        return hops

    def _check_keys(self, hop: Any) -> None:
        name = entry_name(hop.host, hop.port)
        for kind, key in self._known.of_host(name):
            hop.client.get_host_keys().add(name, kind, key)
        hop.client.set_missing_host_key_policy(Policy(self._known, hop.port))

    def close(self) -> None:
        if isinstance(self._dialled, socket.socket):
            self._dialled.close()
        transport = self._connection.client.get_transport()
        if transport is not None and isinstance(transport.sock, socket.socket):
            # paramiko's thread looks up from its socket every 0.1 s: this wakes it at once.
            with contextlib.suppress(OSError):
                transport.sock.shutdown(socket.SHUT_RDWR)
        self._connection.client.close()
        for hop in self._hops()[1:]:
            hop.client.close()


def entry_name(host: str, port: int) -> str:
    """A host's name in known_hosts files."""
    return host if port == 22 else f"[{host}]:{port}"


def outermost(channel: paramiko.Channel) -> int:
    """The descriptor that a channel's bytes leave by: a socket, below those of its jump hosts, or a ProxyCommand's input."""
    sock: Any = channel.get_transport().sock
    while isinstance(sock, paramiko.Channel):
        sock = sock.get_transport().sock
    return int((sock.process.stdin if hasattr(sock, "process") else sock).fileno())
