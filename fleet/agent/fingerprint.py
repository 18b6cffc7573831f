"""What a check found, as one digest: a saved plan is carried out only where the same change starts from the same state.

Of a secret file it holds when and where the file was written, not its bytes: a digest of a short secret would give it away.
"""

import hashlib
import json
import os
import stat

from fleet.agent import document, repositories, tree
from fleet.agent.change import Change
from fleet.agent.errors import from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from fleet.agent.host import Host
    from fleet.agent.plan import Plan

    Want = Dict[str, Any]

KEPT = {
    "module": "/etc/modules-load.d/skiff-{}.conf",
    "repository": repositories.FOLDER + "/{}" + repositories.SUFFIX,
    "selinux": "/etc/selinux/config",
    "sysctl": "/etc/sysctl.d/{}.conf",
}  # the files of kinds that name none


def of(want: "Want", change: Change, host: "Host") -> str:
    """The digest of one change: what would be done, told with the old values, and the state of the files that it starts from."""
    secret = bool(want.get("secret"))
    # The diff of a departure says since when containers are up.
    diff = "" if secret or want["kind"] == "departure" else change.diff
    told = [change.action, change.summary, diff, change.steps, sorted(change.also)]
    try:
        found = [want["id"], told, _state(want, change, host, secret)]
    except OSError as error:
        raise from_os(error, str(want.get("path", want["id"]))) from error
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode("ascii")).hexdigest()


def moved(made: "Plan", resources: "List[Want]", expected: "Dict[str, str]") -> "List[Dict[str, str]]":
    """What of a plan is not as expected, in the order of the resources: `why` is met, new, differs or unknown."""
    found = []
    for want in resources:
        key = want["id"]
        change, error, wanted = made.changes.get(key), made.errors.get(key), expected.get(key)
        summary = change.summary if change is not None else error.brief if error is not None else ""
        if error is not None:
            why = "unknown"
        elif change is None and wanted is not None:
            why = "met"
        elif change is not None and wanted is None:
            why = "new"
        elif change is not None and change.fingerprint != wanted:
            why = "differs"
        else:
            continue
        found.append({"id": key, "role": want["role"], "why": why, "summary": summary})
    return found


def _state(want: "Want", change: Change, host: "Host", secret: bool) -> "Any":
    kind = want["kind"]
    if kind in ("file", "json"):
        return _path(document.real_path(want["path"]), secret)
    if kind in KEPT:
        return _path(KEPT[kind].format(want.get("name")), secret)
    if kind == "link":
        return _path(want["path"], False)
    if kind == "directory":
        return [_path(want["path"], False), _names(want["path"]) if change.action == "remove" else []]
    if kind == "archive":
        return tree.describe(want["path"]) if os.path.isdir(want["path"]) else None
    if kind in ("unit", "departure"):
        found = [host.units.properties(name) for name in (want.get("units") or [want["name"]])]
        return [[unit.get(name, "") for name in ("LoadState", "ActiveState", "UnitFileState")] for unit in found]
    if kind in ("group", "user"):
        row = host.accounts.user(want["name"]) if kind == "user" else host.accounts.group(want["name"])
        return row[:1] + row[2:] if row is not None else None  # without the password
    return None  # a package's and a command's are told


def _path(path: str, secret: bool) -> "List[Any]":
    """What is at a path: a file's mode, owner and bytes; of a secret one, its stamp."""
    found = document.look(path)
    if found is None:
        return []
    if stat.S_ISLNK(found.st_mode):
        return ["link", os.readlink(path)]
    state = [stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid]
    if not stat.S_ISREG(found.st_mode):
        return state
    return state + ([found.st_ino, found.st_ctime_ns] if secret else [document.digest(path)])


def _names(path: str) -> "List[str]":
    return sorted(os.path.join(parent, name) for parent, folders, files in os.walk(path) for name in folders + files)
