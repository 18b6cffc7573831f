"""Which ids of the host a user namespace's own are: written by whoever made it, or by newuidmap where that one may not."""

from __future__ import annotations

import os

from skiff.errors import SkiffError, Unsupported
from skiff.linux import namespaces as ns
from skiff.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import IdMapping

# Not from PATH alone, for they are set-user-id and often outside of a service's.
_DIRECTORIES = ("/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin")


class Mappings:
    """Rows of container id, host id and size for users and for groups; empty ones are nobody's."""

    __slots__ = ("groups", "users")

    def __init__(self, users: list[IdMapping], groups: list[IdMapping]) -> None:
        self.users = [_row(mapping) for mapping in users]
        self.groups = [_row(mapping) for mapping in groups]

    def __bool__(self) -> bool:
        return bool(self.users or self.groups)

    def write(self, pid: int) -> None:
        """Give them to the user namespace that `pid` has just made; SkiffError if this user may not have those ids."""
        if os.geteuid() != 0 and _only(self.groups, os.getegid()):
            _put(pid, "setgroups", "deny")
        for name, rows, own in (("uid", self.users, os.geteuid()), ("gid", self.groups, os.getegid())):
            if not rows:
                continue
            if os.geteuid() == 0 or _only(rows, own):
                _put(pid, f"{name}_map", "".join("{} {} {}\n".format(*row) for row in rows))
            else:
                _by_helper(f"new{name}map", pid, rows)


def _row(mapping: IdMapping) -> tuple[int, int, int]:
    return mapping["containerID"], mapping["hostID"], mapping["size"]


def _only(rows: list[tuple[int, int, int]], own: int) -> bool:
    return len(rows) == 1 and rows[0][1:] == (own, 1)


def _put(pid: int, name: str, text: str) -> None:
    path = f"/proc/{pid}/{name}"
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        shown = text.strip().replace("\n", ", ")
        raise SkiffError(f"user namespace: {name} {shown!r} refused: {error.strerror}") from error


def _by_helper(program: str, pid: int, rows: list[tuple[int, int, int]]) -> None:
    for directory in _DIRECTORIES:
        path = f"{directory}/{program}"
        if os.access(path, os.X_OK):
            break
    else:
        raise Unsupported(
            f"user namespace: mapping other ids than one's own takes {program}: install it (package uidmap or shadow-utils), "
            f"and give this user a range in /etc/sub{program[3:6]}"
        )
    words = [str(number) for row in rows for number in row]
    code, said = processes.run([path, str(pid), *words])
    if code != 0:
        raise SkiffError(f"user namespace: {program} {pid} {' '.join(words)} failed: {said or f'exit status {code}'}")


def namespace(users: list[IdMapping], groups: list[IdMapping]) -> int:
    """A user namespace with these mappings and nobody in it, as a descriptor: what an id-mapped mount takes."""
    mappings = Mappings(users, groups)
    ready, told = os.pipe()
    gone, leave = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            ns.unshare(ns.CLONE_NEWUSER)
            os.write(told, b"\0")
            os.close(leave)
            os.read(gone, 1)
        finally:
            os._exit(0)
    os.close(told)
    os.close(gone)
    try:
        if not os.read(ready, 1):
            raise SkiffError("a user namespace cannot be made: see the sysctl user.max_user_namespaces")
        mappings.write(pid)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(leave)
        os.close(ready)
        os.waitpid(pid, 0)
