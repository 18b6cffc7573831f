"""A symbolic link, swapped in one step."""

import os
import stat

from fleet.agent import atomic, diff
from fleet.agent.change import Change
from fleet.agent.document import look, require_parent
from fleet.agent.errors import AgentError, from_os
from fleet.agent.forecast import ABSENT, LINK, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    path = want["path"]
    found = None if host.forecast.takes(path) else look(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is a directory, not a link".format(path), "", "move it away and run again")
    now = "absent" if found is None else "a file"
    if found is not None and stat.S_ISLNK(found.st_mode):
        now = os.readlink(path)
    if want["state"] == "absent":
        return None if found is None else Change("remove", "remove link {}".format(path), diff.of_value(path, now, "absent"))
    if now == want["target"]:
        return None
    if found is None:
        require_parent(path, host)
    action = "create" if found is None else "update"
    return Change(action, "{} link {} to {}".format(action, path, want["target"]), diff.of_value(path, now, want["target"]))


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Swap or remove the link; a file in its place is copied first."""
    from fleet.agent import original

    path = want["path"]
    gone = want["state"] == "absent"
    change.backup = original.enter(path, host, ABSENT if gone else original.to(want["target"]), not os.path.islink(path))
    if not gone:
        atomic.link(path, want["target"])
        return
    try:
        os.unlink(path)
        atomic.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The link will be there, and what it leads to, or it will be gone."""
    if want["state"] == "absent":
        forecast.paths[want["path"]] = ABSENT
        return
    forecast.paths[want["path"]] = LINK
    forecast.trees.add(want["path"])
