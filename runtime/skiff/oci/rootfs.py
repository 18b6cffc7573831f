"""Plans a container's root: from the specification to the list of operations that make it. Pure: touches nothing."""

from __future__ import annotations

import os

from skiff.linux import mounts as ms
from skiff.oci import labels, mountoptions
from skiff.oci.nodes import BoundNode, Directory, Link, Node
from skiff.oci.operations import (
    HostMount,
    Masked,
    Mount,
    PrivateParent,
    Propagation,
    ReadOnly,
    Remount,
    RootPropagation,
    RootTree,
    Sysctl,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from skiff.cgroup.hierarchy import View
    from skiff.oci.mountoptions import Options
    from skiff.spec.types import Device, Spec
    from skiff.spec.types import Mount as SpecMount

    class Operation(Protocol):
        """One step, which tells itself as text."""

        def __call__(self, root: int, /) -> None:
            """Do it."""
            ...


# Name, major and minor of the devices that every container has.
DEVICES = (("null", 1, 3), ("random", 1, 8), ("full", 1, 7), ("tty", 5, 0), ("zero", 1, 5), ("urandom", 1, 9))
LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)
_TYPES = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}


class RootfsPlan:
    """What makes the root itself, then what is done inside it, then what follows the hooks because it forbids writing.

    `way` is how it is entered: PIVOT, MOVE or CHROOT.
    """

    __slots__ = ("entry", "finish", "inside", "path", "readonly", "way")

    def __init__(self, path: bytes, way: str, readonly: bool) -> None:
        self.path, self.way, self.readonly = path, way, readonly
        self.entry: list[Operation] = []
        self.inside: list[Operation] = []
        self.finish: list[Operation] = []

    def operations(self) -> list[Operation]:
        """All of them in order; a failure names one by its place in this list."""
        return self.entry + self.inside + self.finish


PIVOT, MOVE, CHROOT = "pivot", "move", "chroot"


class Circumstances:
    """What the plan of a root depends on besides the specification.

    `mounts` make the root file system, if it is not the directory itself; `cgroups` are what a cgroup mount shows; `users`: the
    container has a user namespace, in which no node can be made and the way to the root may be closed.
    """

    __slots__ = ("cgroups", "mounts", "no_pivot", "users")

    def __init__(self, mounts: list[SpecMount], cgroups: list[View], *, users: bool = False, no_pivot: bool = False) -> None:
        self.mounts, self.cgroups, self.users, self.no_pivot = mounts, cgroups, users, no_pivot


def plan(spec: Spec, bundle: str, around: Circumstances) -> RootfsPlan:
    """The plan for a bundle."""
    root = spec["root"]
    linux = spec.get("linux") or {}
    own = [namespace for namespace in linux.get("namespaces") or [] if namespace["type"] == "mount"]
    way = CHROOT if not own else MOVE if around.no_pivot else PIVOT
    made = RootfsPlan(os.fsencode(os.path.join(bundle, root["path"])), way, bool(root.get("readonly")))
    if own:
        standing = around.users and not own[0].get("path")  # in a joined one the process no longer stands in the root
        made.entry = _entry(made.path, linux.get("rootfsPropagation") or "rslave", around.mounts, standing=standing)
    for mount in spec.get("mounts") or []:
        made.inside += _mount(mount, spec, bundle, around.cgroups)
    if not _bound(spec, "/dev"):
        made.inside += _devices(linux.get("devices") or [], bound=around.users)
    made.finish = _finish(spec)
    return made


def _entry(path: bytes, propagation: str, mounts: list[SpecMount], *, standing: bool) -> list[Operation]:
    flags = mountoptions.PROPAGATION[propagation]
    # Shared is what the word says of the root alone; anything else keeps what happens in here from the host.
    if flags & ms.MS_UNBINDABLE:
        flags = ms.MS_PRIVATE  # until the root is bound; RootPropagation follows
    made: list[Operation] = [Propagation(flags if flags & ms.MS_SHARED else flags | ms.MS_REC)]
    if mounts:
        # The root must be a mount of its own for pivot_root.
        for mount in mounts:
            found = mountoptions.parse(mount.get("options") or [])
            made.append(HostMount(os.fsencode(mount["source"]), path, os.fsencode(mount["type"]), found.flags, found.data))
        return made
    if flags & ms.MS_SHARED:
        made.append(PrivateParent(path))
    return [*made, RootTree(path) if standing else HostMount(path, path, b"", ms.MS_BIND | ms.MS_REC, b"")]


def _finish(spec: Spec) -> list[Operation]:
    linux = spec.get("linux") or {}
    mounts = spec.get("mounts") or []
    proc = any(mount.get("type") == "proc" and mount["destination"].rstrip("/") == "/proc" for mount in mounts)
    made: list[Operation] = [Sysctl(name, os.fsencode(value)) for name, value in (linux.get("sysctl") or {}).items()]
    made.append(Directory(os.fsencode(spec["process"]["cwd"])))
    made += [ReadOnly(os.fsencode(name), proc and _in_proc(name)) for name in linux.get("readonlyPaths") or []]
    made += [Masked(os.fsencode(name), proc and _in_proc(name)) for name in linux.get("maskedPaths") or []]
    propagation = mountoptions.PROPAGATION.get(linux.get("rootfsPropagation") or "", 0)
    if propagation & ms.MS_UNBINDABLE:
        made.append(RootPropagation(propagation))
    for mount in mounts:
        if mount.get("type") == "tmpfs":
            flags = mountoptions.parse(mount.get("options") or []).flags
            if flags & ms.MS_RDONLY:
                made.append(Remount(os.fsencode(mount["destination"]), flags))
    return made


def _in_proc(path: str) -> bool:
    return path.startswith("/proc/")


def _bound(spec: Spec, destination: str) -> bool:
    return any(
        mount["destination"].rstrip("/") == destination and (mount.get("type") == "bind" or _is_bind(mount.get("options") or []))
        for mount in spec.get("mounts") or []
    )


def _is_bind(options: list[str]) -> bool:
    return "bind" in options or "rbind" in options


_LABELLED = ("tmpfs", "devpts", "overlay")


def _mount(mount: SpecMount, spec: Spec, bundle: str, cgroups: list[View]) -> list[Operation]:
    label = (spec.get("linux") or {}).get("mountLabel") or ""
    options = mountoptions.parse(mount.get("options") or [])
    kind = mount.get("type") or ("bind" if options.flags & ms.MS_BIND else "none")
    target = os.fsencode(mount["destination"])
    if kind == "cgroup":
        return _cgroup(target, options, cgroups)
    source = os.fsencode(mount.get("source") or kind)
    if options.flags & (ms.MS_BIND | ms.MS_REMOUNT) == ms.MS_BIND and not source.startswith(b"/"):
        source = os.fsencode(bundle) + b"/" + source
    if label and kind in _LABELLED:
        labels.require_selinux("linux.mountLabel")
        options.data += b'%scontext="%s"' % (b"," if options.data else b"", os.fsencode(label))
    if kind == "tmpfs":
        options.flags &= ~ms.MS_RDONLY  # writable while mount points and devices are made in it
    operation = Mount(source, target, os.fsencode(kind), options)
    if mount.get("uidMappings") or options.own & {"idmap", "ridmap"}:
        chosen = mount if mount.get("uidMappings") else spec.get("linux") or {}
        operation.idmap = (chosen.get("uidMappings") or [], chosen.get("gidMappings") or [])
    return [operation]


def _cgroup(target: bytes, options: Options, cgroups: list[View]) -> list[Operation]:
    """Version 2: its one tree. Version 1: a tmpfs with a directory for each hierarchy."""
    if len(cgroups) == 1 and cgroups[0].name == "":
        return [_view(target, cgroups[0], options)]
    base = mountoptions.parse(["nosuid", "nodev", "noexec", "mode=755"])
    base.propagation = options.propagation
    made: list[Operation] = [Mount(b"tmpfs", target, b"tmpfs", base)]
    for view in cgroups:
        made.append(_view(target + b"/" + os.fsencode(view.name), view, options))
        made += [Link(target + b"/" + os.fsencode(alias), os.fsencode(view.name)) for alias in view.aliases]
    if options.flags & ms.MS_RDONLY:
        made.append(Remount(target, base.flags | ms.MS_RDONLY))
    return made


def _view(target: bytes, view: View, options: Options) -> Operation:
    own = mountoptions.parse([])
    own.flags, own.propagation = options.flags, options.propagation
    if view.bind:
        own.flags |= ms.MS_BIND | ms.MS_REC
        return Mount(os.fsencode(view.bind), target, b"", own)
    own.data = os.fsencode(view.data)
    name = view.data.partition("name=")[2]
    return Mount(os.fsencode(name or "cgroup"), target, os.fsencode(view.fstype), own)


def _devices(wanted: list[Device], *, bound: bool) -> list[Operation]:
    nodes = {
        b"/dev/" + name.encode(): Node(b"/dev/" + name.encode(), 0o020666, os.makedev(*number), 0, 0) for name, *number in DEVICES
    }
    for device in wanted:
        path = os.fsencode(device["path"])
        asked = device.get("fileMode")  # null is as good as none, here and below
        mode = _TYPES[device["type"]] | (0o666 if asked is None else asked) & 0o7777
        number = os.makedev(device.get("major") or 0, device.get("minor") or 0)
        nodes.pop(path, None)
        nodes[path] = Node(path, mode, number, device.get("uid") or 0, device.get("gid") or 0)
    made: list[Operation] = [BoundNode(node.path) if bound and not node.pipe else node for node in nodes.values()]
    made += [Link(path.encode(), target.encode()) for path, target in LINKS]
    made.append(Link(b"/dev/core", b"/proc/kcore", conditional=True))
    made.append(Link(b"/dev/ptmx", b"pts/ptmx"))
    return made
