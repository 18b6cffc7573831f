"""What containers leave on a host, to compare before and after."""

from __future__ import annotations

import contextlib
import glob
import os

from skiff.oci import seccomp
from tests.contract.daemons import Daemon


def traces(daemon: Daemon) -> dict[str, object]:
    """What containers have on a host: mounts, cgroups, files under both roots, processes."""
    data, run_root = (daemon.arguments[daemon.arguments.index(option) + 1] for option in ("--data-root", "--exec-root"))
    log = daemon.log.read_text()
    roots = [
        f"{data}/containers",
        f"{data}/snapshots/overlay/active",
        *(f"{run_root}/{name}" for name in ("containers", "oci", "shims")),
    ]
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line for line in file if data in line or run_root in line]
    return {
        "mounts": mounts,
        "cgroups": sorted(path for path in cgroups() if os.path.basename(path)[:12] in log),
        "files": sorted(
            os.path.join(directory, name)
            for root in roots
            for directory, directories, files in os.walk(root)
            for name in (*directories, *files)
            if seccomp.CACHE not in os.path.join(directory, name)  # kept for the next container
        ),
        "processes": shims(run_root),
    }


def cgroups() -> list[str]:
    """Of containers, whoever's they are: other engines may be at work on this host."""
    return glob.glob("/sys/fs/cgroup/**/skiff.slice/" + "[0-9a-f]" * 64, recursive=True)


def shims(run_root: str) -> int:
    """Shims, and what they have forked that is no program yet; not the launcher, nor the shim that waits for the next container."""
    found = 0
    for path in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError), open(f"{path}/cmdline", "rb") as cmdline, open(f"{path}/comm", encoding="utf-8") as comm:
            found += run_root.encode() in cmdline.read() and comm.read() == "skiff-shim\n"
    return found


def cmdlines() -> list[bytes]:
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            found.append(file.read())
    return found
