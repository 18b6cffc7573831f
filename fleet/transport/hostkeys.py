"""Host keys: which are known, and what is said of one that is unknown, revoked or has changed."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import List, Sequence, Tuple

import paramiko

from fleet.errors import UnreachableError
from fleet.transport.knownhosts import Entries
from fleet.transport.policies import ACCEPT_NEW, OFF

USER_FILE = Path("~/.ssh/known_hosts")
SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")


class KnownHosts:
    """The keys in some known_hosts files, read once for all hosts. A new key is written to the first of the files.

    Raises:
        UnreachableError: a file cannot be read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = [file.expanduser() for file in files]
        self._lock = threading.Lock()
        self._entries = Entries()
        for file in self.files:
            if file.exists():
                self._entries.read(file)

    def of_host(self, name: str) -> List[Tuple[str, paramiko.PKey]]:
        """The known keys of a host as (type, key); `name` is `[address]:port` where the port is not 22."""
        with self._lock:
            return [(key.get_name(), key) for key in self._entries.keys(name) if not self.is_revoked(key)]

    def is_revoked(self, key: paramiko.PKey) -> bool:
        """Whether a file says that this key is never to be trusted again."""
        return self._entries.is_revoked(key)

    def authority(self, name: str) -> str:
        """Where a file says that an authority vouches for this host's key; empty if none does."""
        return self._entries.authority(name)

    def accept(self, name: str, key: paramiko.PKey) -> None:
        """Adds a key, in memory and to the file; one that another thread has just accepted is not written again.

        Raises:
            BadHostKeyException: another thread was shown another key.
            UnreachableError: the key cannot be written down.
        """
        with self._lock:
            found = self._entries.keys(name)
            if found:
                if key not in found:
                    raise paramiko.BadHostKeyException(name, key, found[0])
                return
            line = f"{name} {key.get_name()} {key.get_base64()}"
            try:
                append(self.files[0], line.encode() + b"\n")
            except OSError as error:
                raise UnreachableError(
                    f"the host key of {name} cannot be written to {self.files[0]}: {error.strerror}",
                    resolution="name a file of yours with known_hosts in the inventory",
                ) from error
            self._entries.add(line, str(self.files[0]))


def append(file: Path, line: bytes) -> None:
    """Adds a line to a file in one write, below what another run may be adding to it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.fstat(descriptor).st_size
        broken_line = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
        os.write(descriptor, b"\n" + line if broken_line else line)
    finally:
        os.close(descriptor)


class Policy(paramiko.MissingHostKeyPolicy):
    """What happens to a host whose key is in no file: refused, with the way to make it known; or written down; or let pass.

    `name` is the host's in known_hosts files, `address` and `port` are where its key can be fetched.
    """

    def __init__(self, known: KnownHosts, policy: str, name: str, address: str, port: int) -> None:
        self._known = known
        self._policy = policy
        self._name = name
        self._address = address
        self._port = port

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002 # paramiko's
        files = ", ".join(map(str, self._known.files))
        if self._known.is_revoked(key):
            raise UnreachableError(f"the host key of {self._name} is revoked: {kind(key)} {key.fingerprint}", f"files: {files}")
        if self._policy == OFF:
            return
        place = self._known.authority(self._name)
        if place:
            raise UnreachableError(
                f"the host key of {self._name} is known by an authority's word alone, and host certificates are not checked here",
                f"@cert-authority in {place}; shown: {kind(key)} {key.fingerprint}",
                f"add the key itself: {self._fetch()}",
            )
        if self._policy == ACCEPT_NEW:
            self._known.accept(self._name, key)
            return
        raise UnreachableError(
            f"the host key of {self._name} is not known: {kind(key)} {key.fingerprint}",
            f"it is in none of: {files} (ssh-keygen -F '{self._name}' -f FILE looks it up)",
            f"fetch it with {self._fetch()}, and compare the fingerprint with what "
            f"`ssh-keygen -lf /etc/ssh/ssh_host_{kind(key).lower()}_key.pub` says on the host itself; "
            f"or accept keys at first sight with --host-key-policy {ACCEPT_NEW}",
        )

    def _fetch(self) -> str:
        port = "" if self._port == 22 else f"-p {self._port} "
        scan = f"ssh-keyscan {port}{self._address}"
        if self._name != entry_name(self._address, self._port):
            scan += f" | sed 's/^[^ ]*/{self._name}/'"
        return f"`{scan} >> {self._known.files[0]}`"


def entry_name(address: str, port: int) -> str:
    """A host's name in known_hosts files."""
    return address if port == 22 else f"[{address}]:{port}"


def kind(key: paramiko.PKey) -> str:
    """A key's type as ssh-keygen names it."""
    name = key.get_name()
    return "ECDSA" if name.startswith("ecdsa") else name.rpartition("-")[2].upper()


def changed(hostname: str, files: Sequence[Path], error: paramiko.BadHostKeyException) -> UnreachableError:
    """What is said of a host that shows another key than the known one."""
    return UnreachableError(
        f"THE HOST KEY OF {hostname} HAS CHANGED: refused, for somebody may be listening in",
        f"known: {kind(error.expected_key)} {error.expected_key.fingerprint}; "
        f"shown: {kind(error.key)} {error.key.fingerprint}; files: {', '.join(map(str, files))}",
        f"if the host was set up anew, remove the old key with `ssh-keygen -R '{hostname}' -f {files[0]}` and add the new one",
    )
