"""How much room, in bytes and in inodes, the file systems have that hold some paths."""

import os

from fleet.agent import storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from fleet.agent.host import Host


def look(given: "Dict[str, Any]", _host: "Host") -> "List[Dict[str, Any]]":
    """An entry for each path that is there; `inodes` is 0 where the file system has no fixed number of them (btrfs)."""
    found = []
    for path in given["paths"]:
        if not os.path.isdir(path):
            continue
        room = os.statvfs(path)
        found.append(
            {
                "path": path,
                "mount": storage.holding(path).point,
                "free": room.f_bavail * room.f_frsize,
                "size": room.f_blocks * room.f_frsize,
                "inodes_free": room.f_favail,
                "inodes": room.f_files,
            }
        )
    return found
