"""Which namespaces a container's init makes and which it joins, as flags and open descriptors."""

from __future__ import annotations

import os

from skiff.errors import InvalidInput
from skiff.linux import namespaces as ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Spec

# In the order in which they are joined: mount last, for the paths of the others are the host's.
KINDS = {
    "ipc": ns.CLONE_NEWIPC,
    "uts": ns.CLONE_NEWUTS,
    "network": ns.CLONE_NEWNET,
    "cgroup": ns.CLONE_NEWCGROUP,
    "mount": ns.CLONE_NEWNS,
}


class NamespacePlan:
    """`made` are unshare's flags; `joined` descriptors and kinds; the pid namespace is entered by the fork itself."""

    __slots__ = ("joined", "made", "new_pid", "pid")

    def __init__(self, spec: Spec) -> None:
        self.made = 0
        self.joined: list[tuple[int, int]] = []
        self.new_pid = False
        self.pid = -1
        wanted = {namespace["type"]: namespace.get("path") or "" for namespace in (spec.get("linux") or {}).get("namespaces") or []}
        try:
            if "pid" in wanted:
                self.new_pid = not wanted["pid"]
                self.pid = self._open("pid", wanted["pid"]) if wanted["pid"] else -1
            for name, kind in KINDS.items():
                if wanted.get(name):
                    self.joined.append((self._open(name, wanted[name]), kind))
                elif name in wanted:
                    self.made |= kind
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _open(name: str, path: str) -> int:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InvalidInput(f"linux.namespaces: {name}: {path}: {error.strerror}") from error
        if name == "mount" and os.path.samestat(os.fstat(fd), os.stat("/proc/self/ns/mnt")):
            os.close(fd)
            raise InvalidInput(f"linux.namespaces: mount: {path} is the one that skiff runs in: the host's own root would change")
        return fd

    def descriptors(self) -> tuple[int, ...]:
        """What init needs open."""
        return tuple(fd for fd, _ in self.joined)

    def close(self) -> None:
        """Let go of the descriptors."""
        for fd in (*self.descriptors(), self.pid):
            if fd >= 0:
                os.close(fd)
        self.joined, self.pid = [], -1
