"""systemd's driver: the container is a transient scope, in whose group our own manager sets what systemd does not know.

Scope and unit are systemd's words: a slice holds scopes, `slice:prefix:name` is <slice>/<prefix>-<name>.scope.
"""

from __future__ import annotations

import contextlib
import os

from skiff.cgroup import systemd_properties
from skiff.cgroup.dbus import Bus, BusError
from skiff.errors import Conflict, InvalidInput, SkiffError, Unsupported, suppress
from skiff.linux import processes, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from skiff.cgroup.hierarchy import View
    from skiff.cgroup.oom import OomWatch
    from skiff.cgroup.stats import Stats
    from skiff.cgroup.systemd_properties import Property
    from skiff.cgroup.v1 import V1
    from skiff.cgroup.v2 import V2
    from skiff.spec.types import Resources

DEFAULT_SLICE = "system.slice"
SYSTEMD = "org.freedesktop.systemd1"
MANAGER = f"{SYSTEMD}.Manager"
NO_SUCH_UNIT, UNIT_EXISTS = f"{SYSTEMD}.NoSuchUnit", f"{SYSTEMD}.UnitExists"


class Unit:
    """A scope's name, its slice, and where its group is in every hierarchy that systemd manages."""

    def __init__(self, place: str) -> None:
        parts = place.split(":")
        if len(parts) != 3 or not parts[2]:
            raise InvalidInput(
                f'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got {place!r} instead'
            )
        slice_name, prefix, name = parts
        if name.endswith(".slice"):
            raise InvalidInput(f"cgroupsPath {place!r}: a container is a scope of systemd's, not a slice: choose another name")
        self.slice = slice_name or DEFAULT_SLICE
        self.name = f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
        if "/" in self.name or "\0" in self.name:
            raise InvalidInput(f"cgroupsPath {place!r}: the name of a unit has no slash")
        self.path = f"{expand(self.slice)}/{self.name}"


def expand(name: str) -> str:
    """A slice's path: `a-b.slice` lies in `a.slice`."""
    stem = name[: -len(".slice")] if name.endswith(".slice") else ""
    if stem == "-":
        return ""
    parts = stem.split("-")
    if not all(parts) or "/" in stem or "\0" in stem:
        raise InvalidInput(f"invalid slice name {name!r}: it must be as system.slice or a-b.slice")
    return "".join(f"/{'-'.join(parts[: index + 1])}.slice" for index in range(len(parts)))


class Scope:
    """See cgroup.manager.CgroupManager."""

    def __init__(self, unit: Unit, group: V1 | V2) -> None:
        self._unit, self._group = unit, group
        self.version, self.confines_devices = group.version, group.confines_devices
        self._holder = Holder()

    def require_vacant(self) -> None:
        """As the group says."""
        self._group.require_vacant()

    def create(self, resources: Resources) -> None:
        """The scope, then in its group what systemd leaves out; a process of ours holds it open, for systemd ends an empty one."""
        self._group.require_vacant()
        self._holder.start()
        try:
            with _manager() as bus:
                _start(bus, self._unit, self._properties(resources))
        except BaseException:
            self._holder.end()
            raise
        try:
            self._group.make(resources)
        except BaseException:
            self.delete()
            raise

    def _properties(self, resources: Resources) -> list[Property]:
        made: list[Property] = [
            ("Description", ("s", f"Skiff container {self._unit.name}")),
            ("Slice", ("s", self._unit.slice)),
            ("Delegate", ("b", True)),
            ("DefaultDependencies", ("b", False)),
            ("CollectMode", ("s", "inactive-or-failed")),
            ("PIDs", ("au", [self._holder.pid])),
        ]
        accounting = (
            "MemoryAccounting",
            "CPUAccounting",
            "TasksAccounting",
            "IOAccounting" if self.version == 2 else "BlockIOAccounting",
        )
        made += [(name, ("b", True)) for name in accounting]
        made += systemd_properties.devices(resources.get("devices") or [], self.version)
        return made + systemd_properties.properties(resources, self.version)

    def entered(self) -> None:
        """The holder may go."""
        self._holder.end()

    def update(self, resources: Resources) -> None:
        """In the unit, so that systemd keeps to it, and in the group."""
        made = systemd_properties.properties(resources, self.version)
        if resources.get("devices"):
            made += systemd_properties.devices(resources["devices"], self.version)
        if made:
            with _manager() as bus:
                _call(bus, "SetUnitProperties", "sba(sv)", self._unit.name, True, made)
        self._group.update(resources)

    def entrances(self) -> list[str]:
        """The group's."""
        return self._group.entrances()

    def delegate(self, uid: int) -> None:
        """As the group does."""
        self._group.delegate(uid)

    def pids(self) -> list[int]:
        """The group's, but for the holder."""
        return [pid for pid in self._group.pids() if pid != self._holder.pid]

    def freeze(self, frozen: bool) -> None:
        """As the group does."""
        self._group.freeze(frozen)

    def frozen(self) -> bool:
        """As the group says."""
        return self._group.frozen()

    def kill(self, signal: int) -> None:
        """As the group does."""
        self._group.kill(signal)

    def oom_kills(self) -> int:
        """As the group says; 0 once systemd has removed it, which it does when it is empty."""
        return self._group.oom_kills()

    def oom_watch(self) -> OomWatch:
        """The group's."""
        return self._group.oom_watch()

    def stats(self) -> Stats:
        """The group's."""
        return self._group.stats()

    def views(self, own_namespace: bool) -> list[View]:
        """The group's."""
        return self._group.views(own_namespace)

    def delete(self) -> None:
        """Stop the scope, then remove the group from where systemd does not."""
        self._holder.end()
        with _manager() as bus:
            _stop(bus, self._unit)
        self._group.delete()


class Holder:
    """A process that does nothing but be there; it ends when told to, or when whoever started it does."""

    def __init__(self) -> None:
        self.pid = -1
        self._pipe = -1

    def start(self) -> None:
        """Fork it."""
        read, self._pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                processes.close_all_but((read,))
                processes.spare_from_oom()
                os.read(read, 1)
            finally:
                os._exit(0)
        os.close(read)

    def end(self) -> None:
        """If it is there."""
        if self.pid > 0:
            os.close(self._pipe)
            with suppress(ProcessLookupError):
                os.kill(self.pid, signals.SIGKILL)
            with suppress(ChildProcessError):  # reaped by whoever waits for any child
                os.waitpid(self.pid, 0)
            self.pid = self._pipe = -1


@contextlib.contextmanager
def _manager() -> Iterator[Bus]:
    """A connection to the bus on which systemd tells of the jobs that it has done."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("systemd does not run here: leave --systemd-cgroup out")
    bus = Bus()
    try:
        yield bus
    finally:
        bus.close()


def _call(bus: Bus, member: str, signature: str = "", *values: Any) -> list[Any]:
    try:
        return bus.call(SYSTEMD, "/org/freedesktop/systemd1", MANAGER, member, signature, *values)
    except BusError as error:
        error.args = (f"systemd, {member}: {error}",)
        raise


def _subscribe(bus: Bus) -> None:
    rule = f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved'"
    bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", rule)
    _call(bus, "Subscribe")


def _start(bus: Bus, unit: Unit, properties: list[Property]) -> None:
    _subscribe(bus)
    try:
        _run_job(bus, unit, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit.name, "fail", properties, [])
    except BusError as error:
        if error.name != UNIT_EXISTS:
            raise
        # One that failed stays until it is reset; one that runs is somebody's.
        with suppress(BusError):
            _call(bus, "ResetFailedUnit", "s", unit.name)
        try:
            _run_job(bus, unit, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit.name, "fail", properties, [])
        except BusError as again:
            if again.name != UNIT_EXISTS:
                raise
            raise Conflict(f"systemd has a unit {unit.name} already: delete that container first") from None


def _stop(bus: Bus, unit: Unit) -> None:
    _subscribe(bus)
    try:
        _run_job(bus, unit, "StopUnit", "ss", unit.name, "replace")
    except BusError as error:
        if error.name != NO_SUCH_UNIT:
            raise


def _run_job(bus: Bus, unit: Unit, member: str, signature: str, *values: Any) -> None:
    [job] = _call(bus, member, signature, *values)
    while True:
        _, removed, _, result = bus.signal("JobRemoved")
        if removed == job:
            break
    if result != "done":
        raise SkiffError(f"systemd could not {member} {unit.name}: {result}; see journalctl -u {unit.name}")
