"""The versions of the runtime that lie side by side: only so many, and never one less that is needed or that a process runs."""

import os

from fleet.agent import atomic, versions
from fleet.agent.change import Change
from fleet.agent.errors import from_os
from fleet.agent.forecast import ABSENT, Forecast
from fleet.agent.kinds import archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Which ones are too many."""
    too_many = _too_many(want, host)
    if not too_many:
        return None
    change = Change("remove", "remove {}: {} versions are kept".format(", ".join(too_many), want["keep"]))
    change.steps = too_many
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Remove them, each in one step."""
    for name in change.steps:
        path = os.path.join(want["home"], name)
        try:
            atomic.take_away(path)
            archive.forget(path, host)
        except OSError as error:
            raise from_os(error, path) from error


def foresee(want: "Dict[str, Any]", change: Change, forecast: Forecast) -> None:
    """They will be gone."""
    forecast.paths.update((os.path.join(want["home"], name), ABSENT) for name in change.steps)


def _too_many(want: "Dict[str, Any]", host: "Host") -> "List[str]":
    """The oldest ones beyond those to keep, the oldest first; `version` counts as there."""
    home, then = want["home"], want["version"]
    there = {then}.union(os.listdir(home) if os.path.isdir(home) else ()) - {"current"}
    if len(there) <= want["keep"]:  # nothing else is looked at in a run without changes
        return []
    names = {then}.union(versions.kept(home))
    now = versions.current(home)
    past = versions.past(host.state.home, now)
    before = now if now != then else past[-1] if past else None
    used = versions.in_use(home)
    if "current" in used:  # a process that does not tell its version may run any
        return []
    spared = {then, now, before}.union(used)
    newest = sorted(names - spared, key=lambda name: versions.order(name) or (), reverse=True)
    room = max(0, want["keep"] - len(names & spared))
    return newest[room:][::-1]
