"""What a container's cgroup can do, whichever version the kernel has; the words that both implementations keep to."""

from __future__ import annotations

from skiff.cgroup import hierarchy, v1, v2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypedDict

    from skiff.cgroup.hierarchy import View
    from skiff.spec.types import Resources

    class Stats(TypedDict):
        """Bytes, nanoseconds and tasks; a limit of None is none."""

        memory_usage: int
        memory_limit: int | None
        cpu_usage: int
        cpu_throttled: int
        pids_current: int
        pids_limit: int | None

    class CgroupManager(Protocol):
        """One container's cgroup, in every hierarchy that there is.

        Nothing is kept in memory: two processes may each have a manager for the same path.
        """

        version: int
        confines_devices: bool

        def create(self, resources: Resources) -> None:
            """Make it, empty, with its limits; one that is there already is taken over. On an error nothing is left."""
            ...

        def update(self, resources: Resources) -> None:
            """Set the limits that are given and leave the others."""
            ...

        def entrances(self) -> list[str]:
            """The files to which a process writes 0 to enter."""
            ...

        def pids(self) -> list[int]:
            """The processes in it and below it."""
            ...

        def freeze(self, frozen: bool) -> None:
            """Stop all its processes, or let them go on."""
            ...

        def kill(self, signal: int) -> None:
            """Send a signal to every process, those included that are being forked meanwhile."""
            ...

        def oom_kills(self) -> int:
            """How many of its processes the kernel has killed for want of memory."""
            ...

        def stats(self) -> Stats:
            """What it uses now."""
            ...

        def views(self, own_namespace: bool) -> list[View]:
            """How a container is shown its cgroups under /sys/fs/cgroup."""
            ...

        def delete(self) -> None:
            """Remove it; a cgroup that is not there is removed already. Its processes must be dead or dying."""
            ...


def open_manager(path: str, mount_point: str = hierarchy.MOUNT_POINT) -> CgroupManager:
    """The manager for `path` on this machine."""
    layout = hierarchy.discover(mount_point)
    if layout.controllers:
        return v1.V1(layout, path)
    return v2.V2(layout.unified, path)
