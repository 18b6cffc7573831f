"""A file or link that an earlier run replaced or removed, brought back from the host's own copy."""

import json
import os

from fleet.agent import original
from fleet.agent.change import Change
from fleet.agent.document import judged
from fleet.agent.errors import AgentError, Left
from fleet.agent.forecast import FILE, LINK, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs. A file that is not as Skiff left it is refused, unless by force."""
    path, before = want["path"], want["before"]
    now = original.described(path, host)
    if original.alike(before, now):
        return None
    if now["type"] == "other" or not os.path.isdir(os.path.dirname(path)):
        raise AgentError("{} cannot be brought back: its place is taken, or its directory is gone".format(path))
    if before["type"] == FILE and not os.path.isfile(before["copy"]):
        raise AgentError("the copy of {} is gone: {}".format(path, before["copy"]), "", "see ./inv restore --list for what is kept")
    place = host.ledger.place("file", path)
    try:
        if place is not None:
            original.refuse_foreign(place, original.trace(path, host), host)
    except Left as left:
        raise AgentError(
            "{} is not as Skiff left it: {}".format(path, left.brief), "", "look at it; --force brings the copy back all the same"
        ) from left
    change = Change("restore", "restore {} as it was before {}".format(path, want["run"]))
    change.diff = original.told(path, before, now, want["secret"])
    change.also += [name for name in want["names"] if name != want["id"]]
    if _needs_restart(path, before, want["reloadable"]):
        change.also.append(want["id"] + "#restart")
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Put it in its place; what is there now is copied first, so that this can be undone in turn."""
    path, before = want["path"], want["before"]
    link = before["type"] == "link"
    ours = original.to(before["target"]) if link else before["text"]
    change.backup = original.enter(path, host, ours, True, want["secret"])
    original.put_back(path, before, before.get("copy", ""), _validator(want))


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """It will be there."""
    forecast.paths[want["path"]] = LINK if want["before"]["type"] == "link" else FILE


def _validator(want: "Dict[str, Any]") -> "Any":
    argv: "List[str]" = want["validate"]

    def refuse(temporary: str) -> None:
        done = judged(temporary, argv, want["secret"])
        if done.status != 0:
            raise done.failure("the copy of {} is not valid any more; what is there was kept".format(want["path"]))

    return refuse if argv else None


def _needs_restart(path: str, before: "Dict[str, Any]", reloadable: "List[str]") -> bool:
    """Whether a daemon that reads the file takes more than a reload: as the kind `json` tells of its keys."""
    try:
        old, new = (json.loads((original.text_of(one) or b"{}").decode("utf-8")) for one in (path, before.get("copy", "")))
        keys = {key for key in set(old) | set(new) if old.get(key) != new.get(key)}
    except (AttributeError, OSError, ValueError):
        return True
    return not keys <= set(reloadable)
