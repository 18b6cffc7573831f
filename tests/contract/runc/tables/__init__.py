"""All the mutations, by the part of config.json that they change."""

from __future__ import annotations

from tests.contract.runc.mutation import Mutation
from tests.contract.runc.tables import cgroups, filesystem, hooks, kernel, process

MUTATIONS: list[Mutation] = [Mutation("base", {}), *process.ROWS, *filesystem.ROWS, *kernel.ROWS, *cgroups.ROWS, *hooks.ROWS]
# For a user without rights, who is root in there, has no cgroup, makes no device, and keeps the flags of others' mounts.
_OPTIONS = ("rbind", "rbind,ro", "rbind,nosuid", "rbind,nodev", "rbind,noexec", "rbind,rro", "rbind,rslave", "rbind,rprivate")
_BINDS = [row for row in filesystem.BINDS if row.name.rpartition(": ")[2] in _OPTIONS]
ROOTLESS: list[Mutation] = [
    Mutation("base", {}),
    Mutation("mounts: cgroup", filesystem.mount(["ro"], "cgroup", "cgroup", "/sys/fs/cgroup")),
    *(
        row
        for row in (*process.CAPABILITIES, *process.PROGRAM, *filesystem.ROOT, *_BINDS, *filesystem.COVERED, *hooks.ROWS)
        if "process.user" not in row.patch
    ),
]
