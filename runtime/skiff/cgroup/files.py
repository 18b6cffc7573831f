"""Reads and writes the small files of a cgroup directory, and walks and removes what lies below it."""

from __future__ import annotations

import errno
import os
import time

from skiff.errors import Conflict, InvalidInput, SkiffError, suppress
from skiff.linux import signals
from skiff.linux.libc import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from skiff.spec.types import Memory

    class Freezable(Protocol):
        """A manager, as far as it is wanted here."""

        def freeze(self, frozen: bool) -> None:
            """Stop its processes, or let them go on."""
            ...


REMOVE_ATTEMPTS = 50
PAUSE = 0.01
FREEZE_ATTEMPTS = 1000
FREEZE_PAUSE = 0.001
CHUNK = 8192
CHILDLESS = 2  # links of a directory: its name and its own dot, and one for each directory in it


def write(directory: str, name: str, value: str | int) -> None:
    """One value to one file, in one write."""
    path = f"{directory}/{name}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise failure("write", error.errno or 0, f"{value!r} to {path}") from None


def read(directory: str, name: str) -> str:
    """A file's text, stripped; empty if it is not there, or its group is being removed."""
    try:
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _whole(fd).decode().strip()
        finally:
            os.close(fd)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):
            return ""
        raise


def _whole(fd: int) -> bytes:
    whole = b""
    while True:
        data = os.read(fd, CHUNK)
        if not data:
            return whole
        whole += data


def number(directory: str, name: str) -> int:
    """A file of one number; 0 if it is not there."""
    return int(read(directory, name) or 0)


def keyed(directory: str, name: str) -> dict[str, int]:
    """A file of `key number` lines."""
    rows = (line.split() for line in read(directory, name).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def tree(directory: str) -> list[str]:
    """The directory and all below it, deepest first; empty if it is not there."""
    with suppress(FileNotFoundError):
        if os.stat(directory).st_nlink == CHILDLESS:
            return [directory]
    return [path for path, _, _ in os.walk(directory, topdown=False)]


def pids(directory: str) -> list[int]:
    """The processes in a directory and below it."""
    found: list[int] = []
    for path in tree(directory):
        with suppress(OSError):  # removed between the walk and the read
            # One of another pid namespace reads as 0, which kill(2) takes for our own process group.
            found.extend(int(line) for line in read(path, "cgroup.procs").split() if line != "0")
    return found


def names(directory: str) -> list[str]:
    """The files of a directory; none if it is not there."""
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def require_vacant(directory: str) -> None:
    """Conflict if a group is there and has processes: another container's limits would change, or its processes be killed."""
    if os.path.isdir(directory):
        found = len(pids(directory))
        if found:
            raise Conflict(f"container's cgroup is not empty: {found} process(es) found in {directory}: choose another cgroupsPath")


def require_room(directory: str, usage_file: str, memory: Memory) -> None:
    """Refuse limits below what is in use, at which processes would be killed (the specification's checkBeforeUpdate)."""
    used = number(directory, usage_file)
    for key, limit in (("swap", memory.get("swap") or 0), ("limit", memory.get("limit") or 0)):
        if 0 < limit <= used:
            raise SkiffError(f"linux.resources.memory.{key}: {limit} is not above the {used} bytes in use: nothing is changed")


def remove_all(directories: list[str]) -> None:
    """Remove each; all are tried before an error is raised."""
    try:
        if len(directories) > 1:
            remove_all(directories[1:])
    finally:
        remove(directories[0])


def remove(directory: str) -> None:
    """Remove a directory and those below it; waits a little for processes that are on their way out."""
    for _ in range(REMOVE_ATTEMPTS):
        if _removed(directory):
            return
        time.sleep(PAUSE)
    raise SkiffError(f"cgroup {directory} still has processes: {pids(directory)}")


def _removed(directory: str) -> bool:
    try:
        for path in tree(directory):
            os.rmdir(path)
    except FileNotFoundError:
        return not os.path.exists(directory)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def thaw_what_is_left(manager: Freezable, directory: str) -> None:
    """After a signal under freezing, which may have ended the last process, and whoever watches the group have removed it."""
    try:
        manager.freeze(False)
    except SkiffError:
        if os.path.isdir(directory):
            raise


def signal_all(directory: str, signal: int) -> None:
    """A signal to every process of the directory."""
    for pid in pids(directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal)


def signal_in_motion(directory: str, signal: int) -> None:
    """A signal to every process of a directory that cannot be stopped meanwhile: what forks is hunted until it is gone."""
    for _ in range(REMOVE_ATTEMPTS):
        signal_all(directory, signal)
        if signal != signals.SIGKILL or not pids(directory):
            return
        time.sleep(PAUSE)


def check_path(path: str) -> str:
    """A cgroup path that cannot lead out of its hierarchy."""
    parts = path.split("/")
    if not path.startswith("/") or path == "/" or ".." in parts or "\0" in path:
        raise InvalidInput(f"cgroup path {path!r}: it must begin with /, name a group, and have no '..'")
    return path
