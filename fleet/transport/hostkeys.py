"""Host keys: which are known, and what is said of one that is unknown or has changed."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set, Tuple

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from fleet.errors import UnreachableError
from fleet.transport.policies import ACCEPT_NEW

USER_FILE = Path("~/.ssh/known_hosts")
HASHED = "|1|"
SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")


class KnownHosts:
    """The keys in some known_hosts files, read once for all hosts. A new key is written to the first of the files."""

    def __init__(self, files: Sequence[Path], policy: str) -> None:
        self.files = [file.expanduser() for file in files]
        self.policy = policy
        self._lock = threading.Lock()
        # By name, for thousands of hosts; names that are hashed have to be tried one after the other.
        self._plain: Dict[str, Dict[str, paramiko.PKey]] = {}
        self._hashed = paramiko.HostKeys()
        self._revoked: Set[str] = set()
        for file in self.files:
            if file.exists():
                self._load(file)

    def _load(self, file: Path) -> None:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.startswith("@"):
                # paramiko would take a marker for a host's name. A revoked key is so for every host; authorities are not supported.
                marker, *fields = line.split()
                self._revoked.update(fields[2:3] if marker == "@revoked" else ())
                continue
            entry = HostKeyEntry.from_line(line.strip(), number) if line.strip() and line[0] != "#" else None
            if entry is not None and entry.key is not None:
                for name in entry.hostnames or ():
                    if entry.key.get_name() not in self._find(name):
                        self._add(name, entry.key)

    def _find(self, name: str) -> Dict[str, paramiko.PKey]:
        found = dict(self._plain.get(name, ()))
        for kind, key in dict(self._hashed.lookup(name) or ()).items():
            found.setdefault(kind, key)
        return found

    def _add(self, name: str, key: paramiko.PKey) -> None:
        if name.startswith(HASHED):
            self._hashed.add(name, key.get_name(), key)
        else:
            self._plain.setdefault(name, {})[key.get_name()] = key

    @classmethod
    def of(cls, file: Optional[Path], policy: str) -> KnownHosts:
        """The file that the inventory names, or else the user's and the system's.

        Raises:
            UnreachableError: the file cannot be read.
        """
        try:
            return cls([file] if file else [USER_FILE, SYSTEM_FILE], policy)
        except OSError as error:
            raise UnreachableError(f"known hosts cannot be read from {error.filename}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UnreachableError(
                "known hosts are no text", str(error), "see the file that known_hosts names, or ~/.ssh/known_hosts"
            ) from error
        except InvalidHostKey as error:
            raise UnreachableError(f"a key of the known hosts is broken: {error.line.strip()[:80]}") from error

    def of_host(self, name: str) -> List[Tuple[str, paramiko.PKey]]:
        """The known keys of a host as (type, key); `name` is `[address]:port` where the port is not 22."""
        with self._lock:
            found = self._find(name)
        return [(kind, key) for kind, key in found.items() if not self.is_revoked(key)]

    def is_revoked(self, key: paramiko.PKey) -> bool:
        """Whether a file says that this key is never to be trusted again."""
        return key.get_base64() in self._revoked

    def accept(self, name: str, key: paramiko.PKey) -> None:
        """Adds a key, in memory and to the file; one that another thread has just accepted is not written again.

        Raises:
            BadHostKeyException: another thread was shown another key.
            UnreachableError: the key cannot be written down.
        """
        with self._lock:
            found = self._find(name)
            if found:
                accepted = next(iter(found.values()))
                if accepted != key:
                    raise paramiko.BadHostKeyException(name, key, accepted)
                return
            try:
                append(self.files[0], f"{name} {key.get_name()} {key.get_base64()}\n".encode())
            except OSError as error:
                raise UnreachableError(
                    f"the host key of {name} cannot be written to {self.files[0]}: {error.strerror}",
                    resolution="name a file of yours with known_hosts in the inventory",
                ) from error
            self._add(name, key)


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
    """What happens to a host whose key is in no file: refused, with the way to make it known; or written down."""

    def __init__(self, known: KnownHosts, port: int) -> None:
        self._known = known
        self._port = port

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002 # paramiko's
        if self._known.is_revoked(key):
            files = ", ".join(map(str, self._known.files))
            raise UnreachableError(f"the host key of {hostname} is revoked: {kind(key)} {key.fingerprint}", f"files: {files}")
        if self._known.policy == ACCEPT_NEW:
            self._known.accept(hostname, key)
            return
        address = hostname.partition("]")[0].lstrip("[")
        port = "" if self._port == 22 else f"-p {self._port} "
        raise UnreachableError(
            f"the host key of {hostname} is not known: {kind(key)} {key.fingerprint}",
            f"it is in none of: {', '.join(map(str, self._known.files))} (ssh-keygen -F '{hostname}' -f FILE looks it up)",
            f"fetch it with `ssh-keyscan {port}{address} >> {self._known.files[0]}`, and compare the fingerprint with what "
            f"`ssh-keygen -lf /etc/ssh/ssh_host_{kind(key).lower()}_key.pub` says on the host itself; "
            f"or accept keys at first sight with --host-key-policy {ACCEPT_NEW}",
        )


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
