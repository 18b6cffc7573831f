"""Why a host could not be connected to: which failures may pass by themselves, and the words for each."""

from __future__ import annotations

import socket

import paramiko
from paramiko.ssh_exception import PasswordRequiredException

from fleet.errors import UnreachableError
from fleet.transport.dial import Unanswered
from fleet.transport.route import Hop

AUTHENTICATION = (
    "name the key with identity_file in the inventory, add it to a running ssh-agent, "
    "or give a password with --ask-pass or SKIFF_SSH_PASSWORD"
)
LOCKED = (
    "give its passphrase with --ask-key-passphrase or SKIFF_SSH_KEY_PASSPHRASE, or add the key to a running ssh-agent: ssh-add FILE"
)


def is_passing(error: BaseException) -> bool:
    """Whether another attempt may succeed: refused, reset, or no banner from an sshd that is starting or short of slots."""
    if isinstance(error, Unanswered):
        return any(isinstance(each, ConnectionRefusedError) for each in error.errors.values())
    if isinstance(error, (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, EOFError)):
        return True
    return isinstance(error, paramiko.SSHException) and "banner" in str(error) and not isinstance(error.__context__, socket.timeout)


def is_mute(error: BaseException) -> bool:
    """Whether the connection stood and no SSH server spoke; paramiko says "No existing session" of a handshake without end."""
    return isinstance(error, paramiko.SSHException) and any(word in str(error) for word in ("banner", "No existing session"))


def explain(error: BaseException, hop: Hop, timeout: float) -> UnreachableError:
    """The failure in words: what happened, and what to do about it."""
    where, login = hop.target, f"{hop.user}@{hop.target}"
    if isinstance(error, PasswordRequiredException):
        return UnreachableError(f"the key for {login} is locked", str(error), LOCKED)
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        return UnreachableError(f"{login} refused to let us in: no key or password was accepted", str(error), AUTHENTICATION)
    if isinstance(error, FileNotFoundError):
        return UnreachableError(f"the key for {login} is missing: {error.filename}", "", AUTHENTICATION)
    if isinstance(error, PermissionError) and error.filename:
        return UnreachableError(f"the key for {login} cannot be read: {error.filename}", "", AUTHENTICATION)
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            f"{hop.address} is no known host name", str(error.strerror), "set address in the inventory, or write user@address"
        )
    if isinstance(error, (socket.timeout, TimeoutError)):
        return UnreachableError(
            f"{where} did not answer within {timeout:g} s",
            "",
            "see that the host is up and no firewall drops what is sent to its SSH port",
        )
    if isinstance(error, Unanswered):
        if is_passing(error):
            return UnreachableError(f"{where} refuses connections", "", "see that sshd runs there and listens on that port")
        said = "; ".join(str(each) for each in error.errors.values())
        return UnreachableError(
            f"{where} cannot be reached", said, "there is no way to that address, or a firewall refuses the port"
        )
    if is_passing(error):
        return UnreachableError(
            f"{where} closed the connection before SSH began",
            str(error),
            "sshd may be at its limit (MaxStartups), or something else listens there",
        )
    if is_mute(error):
        return UnreachableError(
            f"{where} accepts connections, but no SSH server answers there", "", "see the port, and that sshd is not stopped"
        )
    if isinstance(error, paramiko.ChannelException):
        return UnreachableError(
            f"{where} cannot be reached from the jump host before it",
            str(error),
            "see that it is up, and that sshd on the jump host allows TCP forwarding",
        )
    return UnreachableError(f"{where} cannot be reached: {str(error) or type(error).__name__}")
