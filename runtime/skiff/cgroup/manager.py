"""What a container's cgroup can do, whichever version and driver; the words that all implementations keep to."""

from __future__ import annotations

from skiff.cgroup import absent, hierarchy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from skiff.cgroup.hierarchy import View
    from skiff.cgroup.oom import OomWatch
    from skiff.cgroup.stats import Stats
    from skiff.cgroup.v1 import V1
    from skiff.cgroup.v2 import V2
    from skiff.spec.types import Resources

    class CgroupManager(Protocol):
        """One container's cgroup, in every hierarchy that there is.

        Nothing is kept in memory but what create() needs until entered(): two processes may each have a manager for the
        same place.
        """

        version: int
        confines_devices: bool

        def require_vacant(self) -> None:
            """Conflict if it is there already and has processes, or is frozen."""
            ...

        def create(self, resources: Resources) -> None:
            """Make it, empty, with its limits; a vacant one that is there already is taken over.

            One that is not vacant is not touched; on another error nothing is left.
            """
            ...

        def entered(self) -> None:
            """The container's first process is in it by now, or will never be; may be called again."""
            ...

        def update(self, resources: Resources) -> None:
            """Set the limits that are given and leave the others."""
            ...

        def entrances(self) -> list[str]:
            """The files to which a process of one thread writes 0 to enter."""
            ...

        def delegate(self, uid: int) -> None:
            """Give it to a user, who may make groups below it but not change its limits; version 1 has no such thing."""
            ...

        def pids(self) -> list[int]:
            """The processes in it and below it."""
            ...

        def freeze(self, frozen: bool) -> None:
            """Stop all its processes, or let them go on."""
            ...

        def frozen(self) -> bool:
            """Whether it is stopped; no if it is not there."""
            ...

        def kill(self, signal: int) -> None:
            """Send a signal to every process, those included that are being forked meanwhile."""
            ...

        def oom_kills(self) -> int:
            """How many of its processes the kernel has killed for want of memory."""
            ...

        def oom_watch(self) -> OomWatch:
            """To wait for the next such kill; Unsupported where memory is not controlled."""
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


def open_manager(place: str, mount_point: str = hierarchy.MOUNT_POINT) -> CgroupManager:
    """The manager for a place on this machine: a path from the root, `slice:prefix:name` for a scope of systemd's, or nothing."""
    if not place:
        return absent.Absent()
    if not place.startswith("/") and ":" in place:
        from skiff.cgroup.scope import Scope, Unit

        unit = Unit(place)
        return Scope(unit, _on_files(unit.path, mount_point))
    return _on_files(place, mount_point)


def _on_files(path: str, mount_point: str) -> V1 | V2:
    layout = hierarchy.discover(mount_point)
    if layout.controllers:
        from skiff.cgroup.v1 import V1  # one of the two is never needed

        return V1(layout, path)
    from skiff.cgroup.v2 import V2

    return V2(layout.unified, path)
