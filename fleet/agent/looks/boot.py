"""What the next boot would start and mount: read from links and files, as systemd would."""

import os

from fleet.agent import storage
from fleet.agent.facts import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from fleet.agent.host import Host

MANAGED = "/run/systemd/container"
UNITS = "/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"


def look(given: "Dict[str, Any]", _host: "Host") -> "Dict[str, Any]":
    """The default target, the links of wants that lead to the unit, and whether the root's file system is mounted at boot."""
    root = given["root"]
    point = storage.holding(root).point
    return {
        "target": _target(),
        "links": _links(given["unit"]),
        "root": root,
        "mount": point,
        # A container's mounts are its manager's, who makes them again.
        "kept": point == "/" or point in _written() or os.path.exists(MANAGED),
    }


def _target() -> str:
    found = [os.path.join(folder, "default.target") for folder in UNITS]
    return next((os.path.basename(os.path.realpath(path)) for path in found if os.path.exists(path)), "")


def _links(unit: str) -> "List[str]":
    """Those that lead somewhere."""
    folders = [os.path.join(UNITS[0], name) for name in sorted(os.listdir(UNITS[0])) if name.endswith((".wants", ".requires"))]
    return [path for path in (os.path.join(folder, unit) for folder in folders) if os.path.exists(path)]


def _written() -> "List[str]":
    """The mount points that fstab and mount units name."""
    lines = [line.split() for line in read("/etc/fstab").splitlines() if not line.lstrip().startswith("#")]
    points = [words[1].rstrip("/") or "/" for words in lines if len(words) > 1]
    for folder in UNITS:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name.endswith(".mount"):
                points += [line[6:].strip() for line in read(os.path.join(folder, name)).splitlines() if line.startswith("Where=")]
    return points
