"""What is not as the last provision left it, by this host's own ledger and by what that run found in order.

Somebody may have changed a thing by hand and declared it afterwards: a run that met it so has accepted it. What is not declared any
more is nobody's business if it is gone. The ledger keeps no state of units, and SELinux's mode is judged by itself.
"""

import os

from fleet.agent.kinds import archive, module
from fleet.agent.kinds.sysctl import live_value, written
from fleet.agent.ledger import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Set

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def look(_given: "Dict[str, Any]", host: "Host") -> "Dict[str, Any]":
    """`known` is how many places the ledger tells of; `drift` has the resource's id and what became of it."""
    places = host.ledger.places()
    last = host.state.read_json("last-run.json") or {}
    declared = {one["id"] for one in last.get("results", ()) if one["status"] in ("ok", "changed")}
    found = []
    for place in places:
        told = DIFFERING[place.kind](place, host) if place.kind in DIFFERING else ""
        gone = place.kind in GOING and place.last["id"] not in declared
        if told and not gone and not (place.kind == "file" and _accepted(place, declared, last)):
            found.append({"id": place.last["id"] or place.name, "what": "{}: {}".format(place.name, told)})
    return {"known": len(places), "drift": found}


def _accepted(place: "Place", declared: "Set[str]", last: "Dict[str, Any]") -> bool:
    """Whether the last run met a file as it is now, and had nothing to say against it."""
    there = os.path.lexists(place.name)
    return place.last["id"] in declared and there and os.lstat(place.name).st_ctime <= last.get("ended", 0.0)


def _file(place: "Place", host: "Host") -> str:
    from fleet.agent import original

    now, ours = original.trace(place.name, host), place.last["ours"]
    if now == ours:
        return ""
    if now == ABSENT:
        return "was removed"
    return "came back" if ours == ABSENT else "was changed"


def _sysctl(place: "Place", _host: "Host") -> str:
    now, ours = live_value(place.name), place.last["ours"]
    if now is None:
        return "is gone; it was {}".format(ours)
    if now.split() in (ours.split(), written(place.last["id"].partition(":")[2], place.name).split()):
        return ""
    return "is {}; it was {}".format(" ".join(now.split()), ours)


def _module(place: "Place", _host: "Host") -> str:
    return "" if module.is_loaded(place.name) else "was unloaded"


def _archive(place: "Place", host: "Host") -> str:
    if not os.path.isdir(place.name):
        return ""  # a version that nobody needed any more
    from fleet.agent import tree

    found = host.ledger.mark(archive.digest_of(tree.describe(place.name)))
    return "" if found == place.last["ours"] else "a file below it was changed"


def _directory(place: "Place", _host: "Host") -> str:
    return "was removed" if place.last["before"] is None and not os.path.isdir(place.name) else ""


def _group(place: "Place", host: "Host") -> str:
    return "was removed" if place.last["before"] is None and host.accounts.group(place.name) is None else ""


def _user(place: "Place", host: "Host") -> str:
    return "was removed" if place.last["before"] is None and host.accounts.user(place.name) is None else ""


def _package(place: "Place", host: "Host") -> str:
    brought = [name for entry in place.entries for name in entry.get("ours") or ()]
    if place.original["verb"] != "install" or not brought:
        return ""
    from fleet.agent import rpm

    having = rpm.everything(host.looking)
    gone = [name for name in brought if name not in having]
    return "removed since: {}".format(", ".join(gone)) if gone else ""


GOING = "directory", "group", "package", "user"
DIFFERING: "Dict[str, Callable[[Place, Host], str]]" = {
    "archive": _archive,
    "directory": _directory,
    "file": _file,
    "group": _group,
    "module": _module,
    "package": _package,
    "sysctl": _sysctl,
    "user": _user,
}
