"""Where a host's time went: its events as stretches of time, each with what it was spent on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from fleet.recorded import HostStory, Line

CONNECT, CHECK, WAIT, VERIFY, END = "connect", "check", "wait", "verify", "end"
# A stretch that is shorter than this is no answer to where the time went.
SHORTEST = 0.001


@dataclass(frozen=True)
class Stretch:
    """A stretch of time, in seconds from the run's beginning. `group` is a role's name or a phase of the exchange."""

    group: str
    title: str
    begin: float
    seconds: float


def stretches(story: HostStory, origin: float) -> Iterator[Stretch]:
    """A host's stretches, in order; none overlaps another, whatever the clock did meanwhile."""
    before = origin
    phase: Optional[str] = None
    open_since: Optional[Line] = None
    for event in story.events:
        at = max(before, event["at"])
        kind = event["kind"]
        if kind == "begin":
            open_since = event
        spent = named(event, phase)
        if spent is not None:
            begin = max(before, at - event["seconds"]) if kind == "result" else before
            if at - begin >= SHORTEST:
                yield Stretch(*spent, begin - origin, at - begin)
            before = at
            open_since = None
        phase = {"connecting": CONNECT, "facts": CHECK, "waiting": WAIT, "plan": VERIFY}.get(kind, phase)
        if kind == "connecting":
            before = at
    if open_since is not None and "role" in open_since:
        yield Stretch(open_since["role"], f"{open_since['id']}: no end", open_since["at"] - origin, SHORTEST)


def named(event: Line, phase: Optional[str]) -> Optional[Tuple[str, str]]:
    """What the time before an event was spent on, or None if the event ends nothing."""
    kind = event["kind"]
    if kind == "result":
        return (event["role"], f"{event['id']}: {event['status']}") if event["seconds"] else None
    if kind == "facts":
        return CONNECT, "connect, log in, start the agent"
    if kind in ("plan", "waiting"):
        return (WAIT, "wait for another run, then check") if phase == WAIT else (CHECK, "check every resource")
    if kind == "checks":
        return VERIFY, "run the checks"
    if kind == "finished":
        return (CONNECT, "connect") if phase == CONNECT else (END, "end")
    return None


def by_group(found: Iterable[Stretch]) -> Dict[str, float]:
    """Seconds by role and phase, the longest first."""
    sums: Dict[str, float] = {}
    for stretch in found:
        sums[stretch.group] = sums.get(stretch.group, 0.0) + stretch.seconds
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def groups(found: Iterable[List[Stretch]]) -> List[str]:
    """All roles and phases in the order of their appearance."""
    return list(dict.fromkeys(stretch.group for each in found for stretch in each))
