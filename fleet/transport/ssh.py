"""The transport over SSH: one Fabric connection, one exec; host keys checked, connects retried with a jittered backoff."""

from __future__ import annotations

import contextlib
import logging
import random
import select
import socket
import time
from functools import partial
from typing import Any, List, Optional, Union

import fabric
import paramiko

from fleet.errors import UnreachableError
from fleet.inventory.model import Host
from fleet.transport import END, ERR, OUT, Received
from fleet.transport.access import Access
from fleet.transport.credentials import Offers
from fleet.transport.dial import Dialled, dial, greet
from fleet.transport.faults import explain, is_passing
from fleet.transport.flights import Flights
from fleet.transport.hostkeys import changed
from fleet.transport.login import Login
from fleet.transport.proxy import Proxy
from fleet.transport.route import Hop, route
from fleet.transport.stop import Stop

Link = Union[socket.socket, paramiko.Channel]

SIZE = 1 << 16
ATTEMPTS = 4
FIRST_DELAY = 0.4
KEEPALIVE = 15
# Bytes given to paramiko at a time: its packets are no larger.
PIECE = 1 << 15

# What goes wrong is told by the error raised; paramiko's threads would print tracebacks of their own.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


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


class Refused(Exception):
    """An attempt failed, at one of the hops."""

    def __init__(self, hop: Hop, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.hop = hop
        self.cause = cause


class SshTransport:
    """One host over SSH, through its jump hosts; `dialled` is what `dial.ahead` gave for its first hop.

    Raises:
        UnreachableError: ~/.ssh/config leads nowhere.
    """

    def __init__(self, host: Host, access: Access, login: Login, stop: Stop, dialled: Dialled = None) -> None:
        self._host = host
        self._access = access
        self._login = login
        self._stop = stop
        self._dialled = dialled
        self._hops = route(host, access.config)
        self._send_ahead = True
        self._proxy: Optional[Proxy] = None
        self._link: Optional[socket.socket] = None
        self._connections: List[fabric.Connection] = []
        self.user: str = self._hops[-1].user

    def open(self, command: str) -> SshChannel:
        give_up, delay = time.monotonic() + self._login.limit, FIRST_DELAY
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._stop.cutting(self._cut):
                    return self._open(command)
            except Refused as refused:
                again = self._send_ahead and self._in_doubt()
                fault = self._fault(refused)
                self.close()
                if again:
                    # Met once more, a step at a time, before anything is said of it.
                    self._send_ahead = False
                    continue
                if attempt == ATTEMPTS or not is_passing(refused.cause) or time.monotonic() > give_up:
                    raise fault from refused.cause
            # Hosts that were refused together must not come back together.
            if self._stop.wait(delay * random.uniform(0.5, 1.5)):  # noqa: S311 # spreads load, guards nothing
                raise self._interrupted()
            delay *= 2
        raise AssertionError("the last attempt returns or raises")

    def _open(self, command: str) -> SshChannel:
        for number, hop in enumerate(self._hops):
            last = number == len(self._hops) - 1
            try:
                link = (
                    self._connections[-1].transport.open_channel(
                        "direct-tcpip", (hop.address, hop.port), ("", 0), timeout=self._access.seconds(hop)
                    )
                    if number
                    else self._first(hop)
                )
                self._log_in(hop, link, command if last and self._send_ahead else None)
            except (OSError, EOFError, paramiko.SSHException, UnreachableError) as error:
                raise Refused(hop, error) from error
        transport = self._connections[-1].transport
        transport.set_keepalive(KEEPALIVE)
        try:
            return SshChannel(transport.session(command, self._access.patience(hop, self._login.auth_timeout)), self._host)
        except (OSError, EOFError, paramiko.SSHException) as error:
            if not self._in_doubt():
                raise Refused(hop, UnreachableError(f"{hop.target} opened no session: {error}")) from error
            raise Refused(hop, error) from error

    def _first(self, hop: Hop) -> socket.socket:
        """The connection to the first hop, greeted; what was dialled for it already, if it is what is wanted."""
        dialled, self._dialled = self._dialled, None
        if hop.command:
            self._proxy = Proxy(hop.command)
            self._link = self._proxy.link
            greet(self._link)
        elif dialled is None:
            self._link = dial(hop.address, hop.port, self._access.seconds(hop), self._stop.is_set)
        elif isinstance(dialled, OSError):
            raise dialled
        else:
            self._link = dialled
        if self._stop.is_set():
            # It came before there was anything to cut.
            self._cut()
        return self._link

    def _log_in(self, hop: Hop, link: Link, ahead: Optional[str]) -> None:
        login = self._login
        connection = fabric.Connection(
            hop.address,
            user=hop.user,
            port=hop.port,
            config=self._access.fabric(),
            connect_timeout=self._access.seconds(hop),
            connect_kwargs={
                "sock": link,
                "transport_factory": partial(Flights, command=ahead, greeted=isinstance(link, socket.socket)),
                "auth_strategy": Offers(hop, self._access.keys, login),
                "banner_timeout": self._access.patience(hop, login.banner_timeout),
                "auth_timeout": self._access.patience(hop, login.auth_timeout),
                "channel_timeout": self._access.patience(hop, login.auth_timeout),
            },
        )
        self._connections.append(connection)
        known = self._access.check(hop, connection.client)
        try:
            connection.open()
        except paramiko.BadHostKeyException as error:
            raise changed(hop.key_name, known.files, error) from error

    def _fault(self, refused: Refused) -> UnreachableError:
        """What is said of a failed attempt."""
        if self._stop.is_set():
            return self._interrupted()
        if isinstance(refused.cause, UnreachableError):
            return refused.cause
        if self._proxy is not None and refused.hop is self._hops[0] and self._proxy.said:
            return UnreachableError(
                f"{refused.hop.target} cannot be reached by its ProxyCommand", self._proxy.said, "see ~/.ssh/config"
            )
        return explain(refused.cause, refused.hop, self._access.seconds(refused.hop))

    def _interrupted(self) -> UnreachableError:
        return UnreachableError(f"interrupted while connecting to {self._host.target}")

    def _in_doubt(self) -> bool:
        transport = self._connections[-1].client.get_transport() if self._connections else None
        return isinstance(transport, Flights) and transport.in_doubt

    def _cut(self) -> None:
        """Ends the connection under whatever waits for it, and wakes paramiko's thread, which else looks up every 0.1 s."""
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if isinstance(self._dialled, socket.socket):
            self._dialled.close()
        self._cut()
        for connection in reversed(self._connections):
            # One that went through another cannot say farewell any more.
            with contextlib.suppress(OSError, EOFError):
                connection.client.close()
        self._connections.clear()
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._proxy is not None:
            self._proxy.close()
            self._proxy = None


def outermost(channel: paramiko.Channel) -> int:
    """The descriptor that a channel's bytes leave by: a socket, below those of its jump hosts."""
    sock: Any = channel.get_transport().sock
    while isinstance(sock, paramiko.Channel):
        sock = sock.get_transport().sock
    return int(sock.fileno())
