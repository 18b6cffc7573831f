"""Which cgroup hierarchies are mounted, and how a container is to see them."""

from __future__ import annotations

from skiff.errors import Unsupported

MOUNT_POINT = "/sys/fs/cgroup"


class View:
    """One mount below a container's /sys/fs/cgroup, or that mount itself if `name` is empty.

    `bind` is the host directory to bind where the container has no cgroup namespace of its own.
    """

    __slots__ = ("aliases", "bind", "data", "fstype", "name")

    def __init__(self, name: str, fstype: str, data: str, aliases: list[str], bind: str) -> None:
        self.name, self.fstype, self.data, self.aliases, self.bind = name, fstype, data, aliases, bind


class Hierarchy:
    """One mounted hierarchy of version 1; `controllers` is what it is mounted with, `name=systemd` for a named one."""

    __slots__ = ("controllers", "directory")

    def __init__(self, directory: str, controllers: list[str]) -> None:
        self.directory, self.controllers = directory, controllers


class Layout:
    """What is mounted. Without a controller in version 1 it is version 2 alone; with both it is the hybrid layout."""

    __slots__ = ("controllers", "hierarchies", "unified")

    def __init__(self, hierarchies: list[Hierarchy], unified: str) -> None:
        self.hierarchies = hierarchies
        self.unified = unified
        self.controllers = {
            name: found.directory for found in hierarchies for name in found.controllers if not name.startswith("name=")
        }


def discover(mount_point: str = MOUNT_POINT) -> Layout:
    """Read the mount table."""
    with open("/proc/self/mountinfo", "rb") as file:
        return parse(file.read().decode("utf-8", "surrogateescape"), mount_point)


# All that version 1 ever had; other words of a mount are options, and SELinux adds seclabel, which mount(2) refuses.
_CONTROLLERS = frozenset(
    (
        "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc", "net_cls", "net_prio",
        "perf_event", "pids", "rdma",
    )
)  # fmt: skip


def parse(table: str, mount_point: str) -> Layout:
    """The layout that a mountinfo table tells."""
    hierarchies: list[Hierarchy] = []
    unified = ""
    for line in table.splitlines():
        if " - cgroup" not in line:
            continue
        head, _, tail = line.partition(" - ")
        directory = head.split(" ")[4]
        if directory != mount_point and not directory.startswith(mount_point + "/"):
            continue
        fstype, _, options = tail.split(" ", 2)
        if fstype == "cgroup2":
            unified = unified or directory
            continue
        words = [word for word in options.split(",") if word in _CONTROLLERS or word.startswith("name=")]
        if words and not any(found.controllers == words for found in hierarchies):
            hierarchies.append(Hierarchy(directory, words))
    if not hierarchies and not unified:
        raise Unsupported(
            f"no cgroup hierarchy is mounted below {mount_point}: mount one (systemd does so), or start from the host"
        )
    return Layout(hierarchies, unified)
