"""Shows what runs where: each host's versions, in a table or as plain data."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence

from fleet.agent.versions import order
from fleet.events import FAILED, HostOutcome
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_line
from fleet.rollout import standing
from fleet.rollout.standing import Standing
from fleet.run.answers import print_json, show_faults

HEADINGS = ("HOST", "CURRENT", "DAEMON", "LAUNCHER", "SHIMS", "KEPT", "BEFORE")


def show(outcomes: Sequence[HostOutcome], as_json: bool) -> bool:
    """Prints every host's versions; whether all hosts told them."""
    found = {outcome.host: standing.told(outcome) for outcome in outcomes}
    for outcome in outcomes:
        if outcome.faults and found[outcome.host] is None and outcome.state == "ok":
            outcome.state = FAILED
    if as_json:
        print_json({one.host: document(one, found[one.host]) for one in outcomes})
    elif any(found.values()):
        for line in table([cells(host, here) for host, here in found.items() if here is not None]):
            write_line(line)
    show_faults(outcomes)
    return all(here is not None for here in found.values())


def document(outcome: HostOutcome, here: Optional[Standing]) -> Dict[str, Any]:
    """A host's versions as plain data."""
    return {"state": outcome.state, "versions": here.as_json() if here else None, "faults": outcome.as_json()["faults"]}


def cells(host: str, here: Standing) -> List[str]:
    """A host's columns."""
    shims = ", ".join(f"{version} ({count})" for version, count in sorted(here.shims.items()))
    kept = ", ".join(sorted(here.kept, key=lambda name: order(name) or ()))
    row = (host, here.current, ", ".join(here.daemon), ", ".join(here.launcher), shims, kept, here.previous)
    return [on_one_line(cell or "-") for cell in row]


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each host, in columns."""
    lines = [HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
