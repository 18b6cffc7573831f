"""paramiko's transport with what can travel together in one flight: five round trips from the connect to a run's end, for ten.

    1   connect
    2   greeting and our proposal, without waiting for the server's greeting (RFC 4253, 4.2: both sides greet at once)
    3   key exchange; the host's key is checked before anything more is said
    4   service, login, session and command: each follows from the one before, and no answer is needed to write the next
    5   what the command and its caller have to say to each other

Only OpenSSH is sent its session and command ahead of the login's outcome: it keeps what follows a login, and numbers its channels
from 0. The number is checked when it comes. A login that is refused drops what was sent ahead of it.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Callable, List, Optional

import paramiko
from paramiko.auth_handler import AuthOnlyHandler
from paramiko.common import cMSG_CHANNEL_OPEN, cMSG_CHANNEL_REQUEST, cMSG_SERVICE_REQUEST, cMSG_USERAUTH_REQUEST
from paramiko.packet import Packetizer
from paramiko.transport import ServiceRequestingTransport

from fleet.transport.dial import GREETING

KEEPS_WHAT_FOLLOWS = "SSH-2.0-OpenSSH_"
FIRST_CHANNEL = 0
AUTHENTICATING = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")


class Greeted(Packetizer):
    """The packets of a connection on which our greeting was sent already."""

    def write_all(self, out: Any) -> None:
        """Everything but the greeting."""
        if out != f"{GREETING}\r\n".encode():
            super().write_all(out)


class Flights(ServiceRequestingTransport):
    """One connection. `command` is what will be run on it; None sends nothing ahead."""

    # paramiko's own, which its stubs leave out.
    active: bool
    _channels: Any
    _next_channel: Callable[[], int]
    _send_message: Callable[[paramiko.Message], None]
    _send_user_message: Callable[[paramiko.Message], None]

    def __init__(self, sock: Any, command: Optional[str], greeted: bool, **options: Any) -> None:
        super().__init__(sock, packetizer_class=Greeted if greeted else Packetizer, **options)
        if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:
            # Small packets follow each other: none is to wait for the acknowledgement of the one before.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local_version = GREETING
        offered: Any = self.get_security_options()
        # To paramiko the others cost a digest beside each packet, which it makes and compares in Python.
        offered.ciphers = (*AUTHENTICATING, *(name for name in offered.ciphers if name not in AUTHENTICATING))
        self.auth_handler: Optional[AuthOnlyHandler] = None
        self._command = command
        self._proposed = False
        self._ahead: Optional[paramiko.Channel] = None
        self._opened = threading.Event()
        self._sent_ahead = self._opened_ahead = False

    @property
    def in_doubt(self) -> bool:
        """Whether the connection ended with what was sent ahead on it, and no session came of it: the server may not bear it."""
        return self._sent_ahead and not self._opened_ahead and not self.active

    def session(self, command: str, timeout: float) -> paramiko.Channel:
        """A session that runs the command: the one sent ahead, if the login was granted at once, or else a new one.

        Each answer is waited for `timeout` seconds: paramiko's own exec_command waits for ever.

        Raises:
            SSHException: the server refuses it, or is silent, or the connection is lost.
        """
        channel = self._ahead
        if channel is None or command != self._command:
            channel = self.open_session(timeout=timeout)
            channel._event_pending()  # type: ignore[attr-defined]
            self._send_user_message(execution(channel.remote_chanid, command))
        elif not self._opened.wait(timeout):
            raise paramiko.SSHException("Timeout opening channel.")
        elif self._channels.get(channel.get_id()) is None:
            raise self.get_exception() or paramiko.SSHException("Unable to open channel.")
        if not channel.event.wait(timeout):
            raise paramiko.SSHException(f"the command did not begin within {timeout:g} s")
        channel._wait_for_event()  # type: ignore[attr-defined] # exec_command's own end
        return channel

    def _check_banner(self) -> None:
        self._send_kex_init()
        self._proposed = True
        super()._check_banner()  # type: ignore[misc] # run() calls it once our greeting is out

    def _send_kex_init(self) -> None:
        # run() sends it when the server has greeted: by then it is on its way.
        if self._proposed:
            self._proposed = False
            return
        super()._send_kex_init()  # type: ignore[misc]

    def ensure_session(self) -> None:
        """Asks for the login service; the answer is not waited for, since a server without it ends the connection."""
        if not self.active or not self.initial_kex_done:
            raise paramiko.SSHException("No existing session")
        if self.auth_handler is None:
            request = paramiko.Message()
            request.add_byte(cMSG_SERVICE_REQUEST)
            request.add_string("ssh-userauth")
            self._send_message(request)
            self.auth_handler = self.get_auth_handler()

    def get_auth_handler(self) -> AuthOnlyHandler:
        """The login's side of it."""
        return Login(self)

    def send_ahead(self) -> None:
        """Asks for a session and the command in it, once."""
        window, packet = self.default_window_size, self.default_max_packet_size
        with self.lock:
            # A refusal that came already has taken the command away.
            command = self._command
            if command is None or self._sent_ahead or not self.remote_version.startswith(KEEPS_WHAT_FOLLOWS):
                return
            self._sent_ahead = True
            number = self._next_channel()
            self._ahead = channel = paramiko.Channel(number)
            self._channels.put(number, channel)
            self.channel_events[number] = self._opened
            self.channels_seen[number] = True
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(window, packet)  # type: ignore[attr-defined]
            channel._event_pending()  # type: ignore[attr-defined]
        opening = paramiko.Message()
        opening.add_byte(cMSG_CHANNEL_OPEN)
        opening.add_string("session")
        for value in (number, window, packet):
            opening.add_int(value)
        self._send_message(opening)
        self._send_message(execution(FIRST_CHANNEL, command))

    def drop_ahead(self) -> None:
        """Forgets the session, which a refused login took with it; the next attempt sends nothing ahead."""
        with self.lock:
            channel, self._ahead, self._command = self._ahead, None, None
        if channel is not None:
            self._channels.delete(channel.get_id())
            self.channel_events.pop(channel.get_id(), None)

    def _parse_channel_open_success(self, m: paramiko.Message) -> None:
        super()._parse_channel_open_success(m)  # type: ignore[misc]
        if self._ahead is not None and self._ahead.remote_chanid != FIRST_CHANNEL:
            raise paramiko.SSHException("the server numbers its channels in a way of its own")
        self._opened_ahead = True


def execution(channel: int, command: str) -> paramiko.Message:
    """The request to run a command in a channel, by the server's number of it."""
    request = paramiko.Message()
    request.add_byte(cMSG_CHANNEL_REQUEST)
    request.add_int(channel)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(command)
    return request


class Login(AuthOnlyHandler):
    """Sends the first login with what follows it."""

    transport: Flights

    def send_auth_request(
        self, username: str, method: str, finish_message: Optional[Callable[[paramiko.Message], None]] = None
    ) -> List[str]:
        """One attempt; what the server wants besides, or nothing once it is content."""
        self.auth_method = method
        self.username = username
        request = paramiko.Message()
        request.add_byte(cMSG_USERAUTH_REQUEST)
        for word in (username, "ssh-connection", method):
            request.add_string(word)
        if finish_message is not None:
            finish_message(request)
        # Made before the request leaves: the answer may come before the next line runs.
        self.auth_event = threading.Event()
        self.transport._send_message(request)
        if method == "publickey":
            self.transport.send_ahead()
        return self.wait_for_response(self.auth_event)

    def _parse_userauth_failure(self, m: paramiko.Message) -> None:
        self.transport.drop_ahead()
        super()._parse_userauth_failure(m)  # type: ignore[misc]
