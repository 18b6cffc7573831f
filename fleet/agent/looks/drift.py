"""What is not as Skiff's last change left it, by this host's own ledger; whatever is declared by now.

The ledger keeps no state of units, and SELinux's mode is judged by itself: neither is told here.
"""

import os

from fleet.agent.kinds import archive, module
from fleet.agent.kinds.sysctl import live_value
from fleet.agent.ledger import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def look(_given: "Dict[str, Any]", host: "Host") -> "Dict[str, Any]":
    """`known` is how many places the ledger tells of; `drift` has the resource's id and what became of it."""
    places = host.ledger.places()
    found = []
    for place in places:
        told = DIFFERING[place.kind](place, host) if place.kind in DIFFERING else ""
        if told:
            found.append({"id": place.last["id"] or place.name, "what": "{}: {}".format(place.name, told)})
    return {"known": len(places), "drift": found}


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
    return "" if now.split() == ours.split() else "is {}; it was {}".format(" ".join(now.split()), ours)


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
