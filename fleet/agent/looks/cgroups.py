"""Which control group controllers this host gives: in version 1 a group is made in each hierarchy, and taken away again."""

import contextlib
import os

from fleet.agent.facts import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from fleet.agent.host import Host

ROOT = "/sys/fs/cgroup"
UNIFIED = ROOT + "/cgroup.controllers"


def look(given: "Dict[str, Any]", _host: "Host") -> "Dict[str, Any]":
    """`version`, and each wanted controller with nothing where it can be used, or with what stands against it."""
    if os.path.exists(UNIFIED):
        having = read(UNIFIED).split()
        return {"version": 2, "controllers": {name: "" if name in having else "not in " + UNIFIED for name in given["v2"]}}
    return {"version": 1, "controllers": {name: _usable(name) for name in given["v1"]}}


def _usable(name: str) -> str:
    enabled = {line.split()[0]: line.split()[3] for line in read("/proc/cgroups").splitlines() if not line.startswith("#")}
    if name not in enabled:
        return "this kernel has none"
    if enabled[name] != "1":
        return "the kernel's command line disables it"
    hierarchy = os.path.join(ROOT, name)
    if not os.path.isdir(hierarchy):
        return "{} is not there".format(hierarchy)
    group = os.path.join(hierarchy, "skiff-verify.{}".format(os.getpid()))
    try:
        os.mkdir(group)
        try:
            return "" if os.path.exists(os.path.join(group, "cgroup.procs")) else "{} is no hierarchy".format(hierarchy)
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(group)
    except OSError as error:
        return "no group can be made: {}".format(error.strerror)
