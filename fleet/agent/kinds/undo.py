"""One thing that Skiff changed, put back as it was before: its kind's `undo` tells how, the ledger tells what."""

import importlib

from fleet.agent.change import Change
from fleet.agent.errors import Left
from fleet.agent.forecast import ABSENT, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs from what was there; what cannot be put back is noted as left. While applying, what is done is settled."""
    place = host.ledger.place(want["place"], want["name"])
    if place is None:
        return None
    try:
        change = importlib.import_module("fleet.agent.kinds." + place.kind).undo(place, host)
    except Left as left:
        host.leaves(want["id"].partition(":")[2], left)
        if left.over and not host.planning:
            host.ledger.settle(place)
        return None
    if change is None:
        if not host.planning:
            host.ledger.settle(place)
        return None
    ids = dict.fromkeys(one["id"] for one in place.entries)
    change.also += [name for one in ids for name in (one, one + "#restart") if one]
    return change  # type: ignore[no-any-return] # the module is found by name


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Put it back, then take it out of the ledger."""
    place = host.ledger.place(want["place"], want["name"])
    assert place is not None, "it was there when it was checked"
    try:
        if change.act is not None:
            change.act()
        else:
            importlib.import_module("fleet.agent.kinds." + place.kind).undone(place, host)
    except Left as left:
        host.leaves(want["id"].partition(":")[2], left)
        if not left.over:
            return
    host.refresh(place.kind)
    host.ledger.settle(place)


def foresee(want: "Dict[str, Any]", change: Change, forecast: Forecast) -> None:
    """What goes will be gone when the directory that it lies in is looked at."""
    if change.action == "remove" and want["place"] in ("archive", "directory", "file"):
        forecast.paths[want["name"]] = ABSENT
    if want["place"] == "user" and change.action == "remove":
        forecast.gone_users.add(want["name"])
    if want["place"] == "package" and change.action == "remove":
        forecast.removed.update(change.steps)
