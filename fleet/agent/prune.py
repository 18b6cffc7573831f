"""How much of the past is kept: copies of the newest runs, and for ever what was there before Skiff first touched it."""

import contextlib
import os
import time

from fleet.agent import original
from fleet.agent.ledger import Ledger, Place
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Set

    from fleet.agent.ledger import Entry

MOST_RUNS = 20
OLDEST = 90 * 86400.0  # seconds


def prune(state: State, ledger: Ledger, most: int = MOST_RUNS, oldest: float = OLDEST) -> None:
    """Drop older copies, those that no entry names, and the entries in between that tell of nothing that is kept."""
    places, lines = ledger.places(), ledger.lines()
    recent = _recent(ledger, most, time.time() - oldest)
    firsts = {copy for copy in (original.copy_of(place) for place in places if place.kind == "file") if copy}
    ends = {id(one) for place in places for one in (place.entries[0], place.entries[-1])}
    left: "List[Entry]" = []
    shortened = False
    for place in places:
        for one in place.entries:
            copied = isinstance(one["before"], dict) and one["before"].get("copy")
            telling = id(one) in ends or _adds(one, place)
            if one["run"] in recent or (copied and copied in firsts) or (telling and not copied):
                left.append(one)
            elif telling:
                left.append(dict(one, before={key: value for key, value in one["before"].items() if key != "copy"}))
                shortened = True
    if shortened or len(left) != len(lines):
        ledger.rewrite(left)  # place by place, and so still in the order of the first touch
    named = {one["before"]["copy"] for one in left if isinstance(one["before"], dict) and one["before"].get("copy")}
    begun = min((line["run"] for line in lines if "run" in line), default="")
    for run in os.listdir(state.path("backup")) if os.path.isdir(state.path("backup")) else ():
        if begun and run >= begun:  # what was kept before there was a ledger is nobody's to judge
            _sweep(state.path("backup", run), named)


def _adds(entry: "Entry", place: Place) -> bool:
    """Whether it tells what neither end of its place does: what it set or brought; that the text at a path was a secret."""
    ends = place.entries[0], place.last
    if entry["kind"] == "repository" or isinstance(entry.get("ours"), (dict, list)):
        return True
    return bool(entry.get("secret") and not any(end.get("secret") for end in ends))


def _recent(ledger: Ledger, most: int, since: float) -> "Set[str]":
    """The newest runs that changed something, by when they last did: the time in a run's name is that of whoever began it."""
    newest: "Dict[str, float]" = {}
    for line in ledger.lines():
        if "run" in line and line["at"] >= since:
            newest[line["run"]] = line["at"]
    return set(sorted(newest, key=lambda run: newest[run], reverse=True)[:most])


def _sweep(folder: str, named: "Set[str]") -> None:
    """Remove the copies that nothing names, and the directories that are empty then."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            if os.path.join(parent, name) not in named:
                os.unlink(os.path.join(parent, name))
        with contextlib.suppress(OSError):
            os.rmdir(parent)
