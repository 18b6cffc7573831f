"""Which namespaces a container's process makes and which it joins, as flags and open descriptors."""

from __future__ import annotations

import os

from skiff.errors import InvalidInput
from skiff.linux import namespaces as ns
from skiff.oci.mappings import Mappings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Spec

# In the order in which they are joined: mount last, for the paths of the others are the host's. User, pid and time are apart.
KINDS = {
    "ipc": ns.CLONE_NEWIPC,
    "uts": ns.CLONE_NEWUTS,
    "network": ns.CLONE_NEWNET,
    "cgroup": ns.CLONE_NEWCGROUP,
    "mount": ns.CLONE_NEWNS,
}
_NUMBERS = {**KINDS, "user": ns.CLONE_NEWUSER, "pid": ns.CLONE_NEWPID, "time": ns.CLONE_NEWTIME}
_FILES = {**{kind: kind for kind in KINDS}, "network": "net", "mount": "mnt", "user": "user", "pid": "pid", "time": "time"}


class NamespacePlan:
    """`made` are unshare's flags; `joined` descriptors and kinds; user, pid and time are descriptors, -1 for none.

    `offsets` are the lines for a new time namespace; `mappings` those of a new user namespace.
    """

    __slots__ = ("joined", "made", "mappings", "new_pid", "new_time", "new_user", "offsets", "pid", "privileged", "time", "user")

    def __init__(self, wanted: dict[str, str], mappings: Mappings, offsets: bytes = b"") -> None:
        self.made = 0
        self.joined: list[tuple[int, int]] = []
        self.pid = self.user = self.time = -1
        self.mappings, self.offsets = mappings, offsets
        self.new_user, self.new_pid, self.new_time = (name in wanted and not wanted[name] for name in ("user", "pid", "time"))
        self.privileged = os.geteuid() == 0
        try:
            for name in ("pid", "user", "time"):
                if wanted.get(name):
                    setattr(self, name, _open(name, wanted[name]))
            for name, kind in KINDS.items():
                if wanted.get(name):
                    self.joined.append((_open(name, wanted[name]), kind))
                elif name in wanted:
                    self.made |= kind
        except BaseException:
            self.close()
            raise

    @property
    def users(self) -> bool:
        """Whether the process gets another user namespace, made or joined."""
        return self.new_user or self.user >= 0

    def descriptors(self) -> tuple[int, ...]:
        """What the process needs open."""
        return tuple(fd for fd in (*(fd for fd, _ in self.joined), self.user, self.pid, self.time) if fd >= 0)

    def close(self) -> None:
        """Let go of the descriptors."""
        for fd in self.descriptors():
            os.close(fd)
        self.joined, self.pid, self.user, self.time = [], -1, -1, -1


def of_spec(spec: Spec) -> NamespacePlan:
    """Those of a new container."""
    linux = spec.get("linux") or {}
    wanted = {namespace["type"]: namespace.get("path") or "" for namespace in linux.get("namespaces") or []}
    mappings = Mappings(linux.get("uidMappings") or [], linux.get("gidMappings") or [])
    offsets = "".join(
        f"{clock} {offset.get('secs', 0)} {offset.get('nanosecs', 0)}\n"
        for clock, offset in (linux.get("timeOffsets") or {}).items()
    )
    return NamespacePlan(wanted, mappings, offsets.encode())


def of_process(pid: int) -> NamespacePlan:
    """All in which a process differs from this one."""
    wanted = {}
    for name, file in _FILES.items():
        path = f"/proc/{pid}/ns/{file}"
        try:
            if os.stat(path).st_ino != os.stat(f"/proc/self/ns/{file}").st_ino:
                wanted[name] = path
        except FileNotFoundError:
            if name == "mount":
                raise
    return NamespacePlan(wanted, Mappings([], []))


def _open(name: str, path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidInput(f"linux.namespaces: {name}: {path}: {error.strerror}") from error
    if not ns.is_kind(fd, _NUMBERS[name]):
        os.close(fd)
        raise InvalidInput(f"linux.namespaces: {name}: {path}: not a namespace of this type")
    if name == "mount" and os.path.samestat(os.fstat(fd), os.stat("/proc/self/ns/mnt")):
        os.close(fd)
        raise InvalidInput(f"linux.namespaces: mount: {path} is the one that skiff runs in: the host's own root would change")
    return fd
