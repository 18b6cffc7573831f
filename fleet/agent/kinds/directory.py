"""A directory, or its absence with all below it."""

import os
import shutil
import stat

from fleet.agent import atomic, diff, storage
from fleet.agent.change import Change
from fleet.agent.document import differing_metadata, followed, look, require_parent, set_metadata
from fleet.agent.errors import AgentError, from_os
from fleet.agent.forecast import ABSENT, DIRECTORY, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    path = want["path"]
    found = look(path)
    if want["state"] == "absent":
        return _check_absent(path, found, host)
    uid = host.accounts.owner(want["owner"], host.forecast)
    gid = host.accounts.owning_group(want["group"], host.forecast)
    if found is None or host.forecast.takes(path):
        require_parent(path, host)
        return Change("create", "create directory {}".format(path), diff.of_value(path, "absent", "directory " + want["mode"]))
    if stat.S_ISLNK(found.st_mode) and os.path.isdir(path):
        found = os.stat(followed(path))
    if not stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is not a directory".format(path), "", "move it away and run again")
    metadata = differing_metadata(found, int(want["mode"], 8), (uid, want["owner"]), (gid, want["group"]))
    if not metadata:
        return None
    change = Change("update", "update {} of directory {}".format(", ".join(name for name, _, _ in metadata), path))
    change.diff = "".join(diff.of_value("{} {}".format(path, name), old, new) for name, old, new in metadata)
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Make, correct or remove the directory."""
    path = want["path"]
    if want["state"] == "absent":
        _remove(path)
        return
    try:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            atomic.sync_directory(os.path.dirname(path))
            atomic.label(path)
    except OSError as error:
        raise from_os(error, path) from error
    uid = host.accounts.owner(want["owner"], host.forecast)
    gid = host.accounts.owning_group(want["group"], host.forecast)
    set_metadata(followed(path), int(want["mode"], 8), uid, gid)


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The directory will be there, or gone."""
    forecast.paths[want["path"]] = ABSENT if want["state"] == "absent" else DIRECTORY


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
    aside = atomic.aside(path)
    try:
        os.rename(path, aside)
        atomic.sync_directory(os.path.dirname(path))
        shutil.rmtree(aside)
    except OSError as error:
        raise from_os(error, path) from error
