"""A directory, or its absence with all below it."""

import errno
import os
import stat

from fleet.agent import atomic, diff, storage
from fleet.agent.change import Change
from fleet.agent.document import differing_metadata, followed, look, require_parent, set_metadata
from fleet.agent.errors import AgentError, Left, from_os
from fleet.agent.forecast import ABSENT, DIRECTORY, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

MADE = "0700"  # until its owner is set


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    path = want["path"]
    found = look(path)
    if want["state"] == "absent":
        return _check_absent(path, found, host)
    if found is None or host.forecast.takes(path):
        _wanted(want, None, host)  # an owner that there is not is told now
        require_parent(path, host)
        told = "directory " + (want["mode"] or MADE)
        return Change("create", "create directory {}".format(path), diff.of_value(path, "absent", told))
    if stat.S_ISLNK(found.st_mode) and os.path.isdir(path):
        found = os.stat(followed(path))
    if not stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is not a directory".format(path), "", "move it away and run again")
    mode, uid, gid = _wanted(want, found, host)
    metadata = differing_metadata(found, mode, (uid, want["owner"]), (gid, want["group"]))
    if not metadata:
        return None
    change = Change("update", "update {} of directory {}".format(", ".join(name for name, _, _ in metadata), path))
    change.diff = "".join(diff.of_value("{} {}".format(path, name), old, new) for name, old, new in metadata)
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Make, correct or remove the directory."""
    path = want["path"]
    _enter(want, host)
    if want["state"] == "absent":
        _remove(path)
        return
    try:
        if not os.path.isdir(path):
            os.mkdir(path, int(MADE, 8))
            atomic.sync_directory(os.path.dirname(path))
            atomic.label(path)
    except OSError as error:
        raise from_os(error, path) from error
    real = followed(path)
    set_metadata(real, *_wanted(want, os.stat(real), host))


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The directory will be there, or gone."""
    forecast.paths[want["path"]] = ABSENT if want["state"] == "absent" else DIRECTORY


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove it if it is empty, or holds data that is to go; or give it the mode and owner that it had."""
    path, original, found = place.name, place.original, look(place.name)
    if original is None:
        return None if found is None else _undo_creation(place, host)
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise Left("it was removed with all below it, of which no copy was kept", over=True)
    mode, uid, gid = int(original["mode"], 8), original["uid"], original["gid"]
    if (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, uid, gid):
        return None
    change = Change("restore", "restore mode and owner of directory {}".format(path))
    change.act = lambda: set_metadata(path, mode, uid, gid)
    return change


def _undo_creation(place: "Place", host: "Host") -> Change:
    path = place.name
    if not os.path.isdir(path) or os.path.islink(path):
        raise Left("it is no directory any more")
    data = any(one.get("data") for one in place.entries)
    purge = data and host.purge
    below = host.forecast.remaining(path)
    if below and not purge:
        told = "{} and {} more".format(below[0], len(below) - 1) if len(below) > 1 else below[0]
        raise Left("it holds data ({}); --purge-data removes it".format(told) if data else "it is not empty: {}".format(told))
    if below:
        for mount in storage.mounts():
            if mount.point.startswith(os.path.realpath(path) + os.sep):
                raise Left("{} is mounted".format(mount.point))
    change = Change("remove", "remove directory {}{}".format(path, " and the data in it" if below else ""))
    change.act = lambda: _remove(path) if purge else _remove_empty(path)
    return change


def _wanted(want: "Dict[str, Any]", found: "Optional[os.stat_result]", host: "Host") -> "Tuple[int, int, int]":
    """Mode, owner and group as declared; what is left open, as found."""
    mode = int(want["mode"] or MADE, 8) if want["mode"] or found is None else stat.S_IMODE(found.st_mode)
    uid, gid = (found.st_uid, found.st_gid) if found is not None else (os.geteuid(), os.getegid())
    if want["owner"]:
        uid = host.accounts.owner(want["owner"], host.forecast)
    if want["group"]:
        gid = host.accounts.owning_group(want["group"], host.forecast)
    return mode, uid, gid


def _remove_empty(path: str) -> None:
    try:
        os.rmdir(path)
        atomic.sync_directory(os.path.dirname(path))
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
            raise Left("it is not empty, or in use") from error
        raise from_os(error, path) from error


def _enter(want: "Dict[str, Any]", host: "Host") -> None:
    found = look(want["path"])
    before = None
    if found is not None:
        before = {"mode": "{:04o}".format(stat.S_IMODE(found.st_mode)), "uid": found.st_uid, "gid": found.st_gid}
    host.ledger.enter("directory", want["path"], before)


def _check_absent(path: str, found: "Optional[os.stat_result]", host: "Host") -> "Optional[Change]":
    if found is None or host.forecast.takes(path):
        return None
    if not stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is not a directory".format(path), "", "declare a file that is absent to remove it")
    real = os.path.realpath(path)
    if real == "/":
        raise AgentError("the root directory is not removed")
    for mount in storage.mounts():
        if mount.point == real or mount.point.startswith(real + os.sep):
            raise AgentError("{} is not removed while {} is mounted".format(path, mount.point), "", "unmount it and run again")
    return Change("remove", "remove directory {} and all below it".format(path), diff.of_value(path, "directory", "absent"))


def _remove(path: str) -> None:
    try:
        atomic.take_away(path)
    except OSError as error:
        raise from_os(error, path) from error
