"""What the lab takes of this machine: programs, privileges, a subnet a lab, inotify instances. It gives back what it took.

/run/skiff-lab/.lock                 held while any of this changes
/run/skiff-lab/<number>/lab          the path of the lab that owns the subnet 10.213.<number>.0/24
/run/skiff-lab/inotify               what fs.inotify.max_user_instances was before a lab raised it
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path
from typing import Dict, Optional

from fleet.errors import FleetError
from fleet.lab import command, lock, mounts

# Debian's packages by the program that the lab calls.
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}
PACKAGES = tuple(sorted(set(PROGRAMS.values())))
VAGRANT = "Or use Vagrant: `vagrant up` makes the lab's hosts as virtual machines."

RUN = Path("/run/skiff-lab")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
NAMESPACES = Path("/run/netns")
INOTIFY_A_HOST = 12
INOTIFY_RAISED = 8192
NUMBERS = tuple(range(1, 251))


def check(state: Path) -> None:
    """Makes sure that a lab can be had here, with its files in the directory.

    Raises:
        FleetError: it names what is missing and what to do.
    """
    require_root()
    missing = {program: package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise FleetError(
            f"The lab lacks the programs: {', '.join(missing)}.",
            resolution=f"apt-get install --no-install-recommends -y {packages}\n{VAGRANT}",
        )
    try:
        command.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /tmp && mknod /tmp/null c 1 3"]
        )
    except FleetError as error:
        raise FleetError(
            "This machine does not let root make namespaces, mounts and devices, so systemd-nspawn cannot run hosts.",
            error.details,
            f"In a container, run it privileged. {VAGRANT}",
        ) from error
    if mounts.kind_at(state) == "overlay":
        raise FleetError(
            f"{state} lies on an overlay, which cannot carry the hosts' own.",
            resolution=f"In a container, mount a volume there. {VAGRANT}",
        )


def require_root() -> None:
    """Makes sure that root runs this.

    Raises:
        FleetError: another does.
    """
    if os.geteuid():
        raise FleetError(
            "The lab needs root: it makes network namespaces, mounts and cgroups.", resolution=f"Run it with sudo. {VAGRANT}"
        )


def number(lab: Path) -> Optional[int]:
    """The number of the lab's subnet, None if it holds none."""
    return next((held for held, owner in _owners().items() if owner == str(lab)), None)


def claim(lab: Path) -> int:
    """The number of the lab's subnet, taken now if it holds none."""
    with lock.held(RUN / ".lock"):
        taken = _owners()
        held = number(lab)
        if held is not None:
            return held
        start = zlib.crc32(str(lab).encode()) % len(NUMBERS)
        routes = command.run(["ip", "-4", "route", "show", "table", "all"])
        for chosen in (*NUMBERS[start:], *NUMBERS[:start]):
            if chosen not in taken and f"10.213.{chosen}." not in routes:
                aside = RUN / f".{chosen}"
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir()
                (aside / "lab").write_text(str(lab))
                aside.rename(RUN / str(chosen))
                return chosen
    raise FleetError("Every subnet of 10.213.0.0/16 is taken.", resolution="Take some labs down: `./inv lab.down`.")


def release(lab: Path) -> None:
    """Gives the lab's subnet back, and with the last lab the machine's settings."""
    with lock.held(RUN / ".lock"):
        held = number(lab)
        if held is not None:
            shutil.rmtree(RUN / str(held))
        before = RUN / "inotify"
        if before.exists() and not _owners():
            INOTIFY.write_text(before.read_text())
            before.unlink()


def allow_inotify(hosts: int) -> None:
    """Raises the machine's limit of inotify instances if this many hosts more might meet it; each systemd takes about ten."""
    with lock.held(RUN / ".lock"):
        limit = int(INOTIFY.read_text())
        hosts += sum(1 for _ in NAMESPACES.glob("skiff-lab-*-*"))
        if limit < INOTIFY_RAISED and hosts * INOTIFY_A_HOST > limit // 2:
            before = RUN / "inotify"
            if not before.exists():
                before.write_text(f"{limit}\n")
            INOTIFY.write_text(f"{INOTIFY_RAISED}\n")


def _owners() -> Dict[int, str]:
    return {int(path.parent.name): path.read_text() for path in RUN.glob("[0-9]*/lab")}
