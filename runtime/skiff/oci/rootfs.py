"""Plans a container's root: from the specification to the list of operations that make it. Pure: touches nothing."""

from __future__ import annotations

import os

from skiff.linux import mounts as ms
from skiff.oci import mountoptions
from skiff.oci.operations import Directory, HostMount, Link, Masked, Mount, Node, Propagation, ReadOnly, Remount, Sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from skiff.cgroup.hierarchy import View
    from skiff.spec.types import Device, Spec
    from skiff.spec.types import Mount as SpecMount

    class Operation(Protocol):
        """One step, which tells itself as text."""

        def __call__(self, root: int, /) -> None:
            """Do it."""
            ...


# Name, major and minor of the devices that every container has.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
)
_TYPES = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}


class RootfsPlan:
    """What makes the root itself, then what is done inside it, then what is done last because it forbids writing."""

    __slots__ = ("entry", "inside", "path", "readonly")

    def __init__(self, path: bytes, entry: list[Operation], inside: list[Operation], readonly: bool) -> None:
        self.path, self.entry, self.inside, self.readonly = path, entry, inside, readonly

    def operations(self) -> list[Operation]:
        """All of them in order; a failure names one by its place in this list."""
        return self.entry + self.inside


def plan(spec: Spec, bundle: str, mounts: list[SpecMount], cgroups: list[View]) -> RootfsPlan:
    """The plan for a bundle; `mounts` make the root file system, if it is not the directory itself."""
    root = spec["root"]
    path = os.fsencode(os.path.join(bundle, root["path"]))
    linux = spec.get("linux") or {}
    propagation = mountoptions.PROPAGATION[linux.get("rootfsPropagation") or "rslave"]
    entry: list[Operation] = [Propagation(propagation | ms.MS_REC)]
    entry += _host_mounts(path, mounts)
    inside: list[Operation] = []
    for mount in spec.get("mounts") or []:
        inside += _mount(mount, bundle, cgroups)
    if not _bound(spec, "/dev"):
        inside += _devices(linux.get("devices") or [])
    proc = any(mount.get("type") == "proc" and mount["destination"].rstrip("/") == "/proc" for mount in spec.get("mounts") or [])
    inside += [Sysctl(name, os.fsencode(value)) for name, value in (linux.get("sysctl") or {}).items()]
    inside.append(Directory(os.fsencode(spec["process"]["cwd"])))
    inside += [ReadOnly(os.fsencode(name), proc and _in_proc(name)) for name in linux.get("readonlyPaths") or []]
    inside += [Masked(os.fsencode(name), proc and _in_proc(name)) for name in linux.get("maskedPaths") or []]
    return RootfsPlan(path, entry, inside, bool(root.get("readonly")))


def _in_proc(path: str) -> bool:
    return path.startswith("/proc/")


def _bound(spec: Spec, destination: str) -> bool:
    return any(
        mount["destination"].rstrip("/") == destination and (mount.get("type") == "bind" or _is_bind(mount.get("options") or []))
        for mount in spec.get("mounts") or []
    )


def _is_bind(options: list[str]) -> bool:
    return "bind" in options or "rbind" in options


def _host_mounts(path: bytes, mounts: list[SpecMount]) -> list[Operation]:
    """The root must be a mount of its own for pivot_root."""
    if not mounts:
        return [HostMount(path, path, b"", ms.MS_BIND | ms.MS_REC, b"")]
    made: list[Operation] = []
    for mount in mounts:
        flags, _, data = mountoptions.parse(mount.get("options") or [])
        made.append(HostMount(os.fsencode(mount["source"]), path, os.fsencode(mount["type"]), flags, data))
    return made


def _mount(mount: SpecMount, bundle: str, cgroups: list[View]) -> list[Operation]:
    flags, propagation, data = mountoptions.parse(mount.get("options") or [])
    kind = mount.get("type") or ("bind" if flags & ms.MS_BIND else "none")
    target = os.fsencode(mount["destination"])
    if kind == "cgroup":
        return _cgroup(target, flags, propagation, cgroups)
    source = os.fsencode(mount.get("source") or kind)
    if kind == "bind":
        flags |= ms.MS_BIND
    if flags & ms.MS_BIND and not source.startswith(b"/"):
        source = os.fsencode(bundle) + b"/" + source
    if kind == "tmpfs" and flags & ms.MS_RDONLY:
        # Writable while mount points and nodes are made in it.
        writable = Mount(source, target, b"tmpfs", flags & ~ms.MS_RDONLY, propagation, data)
        return [writable, Remount(target, flags)] if target.rstrip(b"/") != b"/dev" else [writable]
    return [Mount(source, target, os.fsencode(kind), flags, propagation, data)]


def _cgroup(target: bytes, flags: int, propagation: list[int], cgroups: list[View]) -> list[Operation]:
    """Version 2: its one tree. Version 1: a tmpfs with a directory for each hierarchy."""
    if len(cgroups) == 1 and cgroups[0].name == "":
        return [_view(target, cgroups[0], flags, propagation)]
    base = ms.MS_NOSUID | ms.MS_NODEV | ms.MS_NOEXEC
    made: list[Operation] = [Mount(b"tmpfs", target, b"tmpfs", base, propagation, b"mode=755")]
    for view in cgroups:
        made.append(_view(target + b"/" + os.fsencode(view.name), view, flags, propagation))
        made += [Link(target + b"/" + os.fsencode(alias), os.fsencode(view.name)) for alias in view.aliases]
    if flags & ms.MS_RDONLY:
        made.append(Remount(target, base | ms.MS_RDONLY))
    return made


def _view(target: bytes, view: View, flags: int, propagation: list[int]) -> Operation:
    if view.bind:
        return Mount(os.fsencode(view.bind), target, b"", flags | ms.MS_BIND | ms.MS_REC, propagation, b"")
    return Mount(b"cgroup", target, os.fsencode(view.fstype), flags, propagation, os.fsencode(view.data))


def _devices(wanted: list[Device]) -> list[Operation]:
    made: list[Operation] = [Node(b"/dev/" + name.encode(), 0o020666, os.makedev(*number), 0, 0) for name, *number in DEVICES]
    for device in wanted:
        mode = _TYPES[device["type"]] | device.get("fileMode", 0o666)
        number = os.makedev(device.get("major", 0), device.get("minor", 0))
        node = Node(os.fsencode(device["path"]), mode, number, device.get("uid", 0), device.get("gid", 0))
        made = [other for other in made if not isinstance(other, Node) or other.path != node.path]
        made.append(node)
    made += [Link(path.encode(), target.encode()) for path, target in LINKS]
    made.append(Link(b"/dev/ptmx", b"pts/ptmx"))
    return made
