"""The resources of a run that goes back: all that Skiff changed, or copies of files, as this host's own ledger tells of them."""

from fleet.agent.journal import FILE as PENDING
from fleet.agent.ledger import Ledger, Place
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

    Wire = Dict[str, Any]

ROLE = "undo"


def resources(state: State, request: "Dict[str, Any]") -> "List[Wire]":
    """What the control side's `undo` means on this host."""
    places = Ledger(state, "", []).places()
    if request["what"] == "deprovision":
        return deprovision(state, places, request)
    if request["what"] == "role":
        return _backwards([place for place in places if place.last["role"] == request["role"]])
    wanted = chosen(places, request)
    return [_copy(place, entry) for place, entry in wanted] + _listeners([place for place, _ in wanted])


def deprovision(state: State, places: "List[Place]", request: "Dict[str, Any]") -> "List[Wire]":
    """Everything, the last thing that was touched first. Daemons end before what they stand on is taken away."""
    owed = state.read_json(PENDING)
    ended = {"unit:" + place.name for place in places if _ends(place)}
    listeners = [one for one in _listeners(places) if one["id"] not in ended]
    known = ended.union(one["id"] for one in listeners)
    for name, triggers in sorted(owed.items()) if isinstance(owed, dict) else ():
        if name.startswith("unit:") and name not in known:
            listeners.append(_unit(name[len("unit:") :], list(triggers), []))
    containers = _wire("containers", "containers", clients=_clients(places, request["clients"])) if places else None
    return ([containers] if containers else []) + _backwards(places) + listeners + [_wire("agent", "agent")]


def _backwards(places: "List[Place]") -> "List[Wire]":
    """The undoing of each, what ends units before all else."""
    backwards = places[::-1]
    return [_undo(place) for place in [one for one in backwards if _ends(one)] + [one for one in backwards if not _ends(one)]]


def _ends(place: Place) -> bool:
    """Whether it is a unit that did not run before."""
    return bool(place.kind == "unit" and place.original["ActiveState"] != "active")


def _clients(places: "List[Place]", clients: "Dict[str, str]") -> "List[str]":
    """The clients of the engines that Skiff set up here: another engine's containers are none of its business."""
    units = {place.name for place in places if place.kind == "unit"}
    return [client for unit, client in sorted(clients.items()) if unit in units]


def chosen(places: "List[Place]", request: "Dict[str, Any]") -> "List[Tuple[Place, Wire]]":
    """The copies that are to be brought back: of each path the oldest that the request means, or with a path alone the newest."""
    begun = _begun(places, request["since"]) if request["since"] else 0.0
    found = []
    for place in places:
        entries = [
            one
            for one in kept(place)
            if request["path"] in ("", place.name) and one["at"] >= begun and one["run"].startswith(request["run"])
        ]
        if entries:
            newest = not request["run"] and not request["since"]
            found.append((place, entries[-1 if newest else 0]))
    return found


def copies(state: State) -> "List[Wire]":
    """All that can be brought back, the newest first."""
    found = []
    for place in Ledger(state, "", []).places():
        first = place.entries[0]
        for one in kept(place):
            before = one["before"]
            told = {"run": one["run"], "at": one["at"], "path": place.name, "type": before["type"], "original": one is first}
            found.append(dict(told, mode=before.get("mode"), target=before.get("target"), role=one["role"]))
    return sorted(found, key=lambda one: one["at"], reverse=True)


def kept(place: Place) -> "List[Wire]":
    """The entries of a path that a restore can go back to."""
    if place.kind != "file":
        return []
    return [one for one in place.entries if one["before"]["type"] == "link" or one["before"].get("copy")]


def _begun(places: "List[Place]", run: str) -> float:
    """When a run made its first change; for one that changed nothing here, no time at all."""
    return min((one["at"] for place in places for one in place.entries if one["run"].startswith(run)), default=float("inf"))


def _copy(place: Place, entry: "Wire") -> "Wire":
    told = {field: place.last.get(field) or [] for field in ("reloadable", "validate")}
    secret = any(one.get("secret") for one in place.entries)
    also = sorted({one["id"] for one in place.entries})
    return _wire(
        "copy", "file:" + place.name, path=place.name, before=entry["before"], run=entry["run"], secret=secret, names=also, **told
    )


def _listeners(places: "List[Place]") -> "List[Wire]":
    """The units that listen to what is put back, as the runs that changed it declared them."""
    found = {}  # type: Dict[str, Wire]
    for place in places:
        for name, told in sorted((place.last.get("units") or {}).items()):
            unit = found.setdefault(name, _unit(name, [], []))
            for field in ("restart_on", "reload_on"):
                unit[field] = sorted(set(unit[field]).union(told[field]))
    return list(found.values())


def _unit(name: str, restart_on: "List[str]", reload_on: "List[str]") -> "Wire":
    nothing = dict.fromkeys(("enabled", "active", "masked"))
    return _wire("unit", "unit:" + name, name=name, restart_on=restart_on, reload_on=reload_on, **nothing)


def _undo(place: Place) -> "Wire":
    key = "undo:{}:{}".format(place.kind, place.name)
    return dict(_wire("undo", key, place=place.kind, name=place.name), role=place.last["role"] or ROLE)


def _wire(kind: str, key: str, **fields: "Any") -> "Wire":
    return dict(fields, kind=kind, id=key, role=ROLE, handler=False)
