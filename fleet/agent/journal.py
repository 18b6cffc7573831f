"""Restarts and handlers owed: written before the change that calls for them, taken out when they have run."""

from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Set

FILE = "pending.json"


def triggers(resource: "Dict[str, Any]") -> "List[str]":
    """The ids whose change a resource listens to."""
    found: "List[str]" = []
    for field in ("restart_on", "reload_on", "on_change", "listens"):
        found.extend(resource.get(field) or ())
    return found


def listeners(resources: "Iterable[Dict[str, Any]]", name: str) -> "List[Dict[str, Any]]":
    """The resources that listen to a change of `name`, or to one of its finer ids."""
    return [one for one in resources if any(each.partition("#")[0] == name for each in triggers(one))]


class Journal:
    """Which listeners are owed, and by which resources' changes: {listener: [trigger, ...]}."""

    def __init__(self, state: State, resources: "Iterable[Dict[str, Any]]") -> None:
        self._state = state
        self._listeners: "Dict[str, List[str]]" = {}
        for resource in resources:
            for trigger in triggers(resource):
                self._listeners.setdefault(trigger, []).append(resource["id"])
        stored = state.read_json(FILE)
        entries = stored.items() if isinstance(stored, dict) else ()
        self._owed: "Dict[str, Set[str]]" = {key: set(ids) for key, ids in entries}

    def owed(self, listener: str) -> "Set[str]":
        """The changes that a listener has not yet answered."""
        return self._owed.get(listener, set())

    def announce(self, changing: "List[str]") -> None:
        """These are about to change."""
        news = [(name, one) for one in changing for name in self._listeners.get(one, ()) if one not in self.owed(name)]
        for name, one in news:
            self._owed.setdefault(name, set()).add(one)
        if news:
            self._save()

    def settle(self, listener: str) -> None:
        """`listener` has answered all its changes."""
        if self._owed.pop(listener, None) is not None:
            self._save()

    def _save(self) -> None:
        self._state.write_json(FILE, {name: sorted(ids) for name, ids in self._owed.items()})
