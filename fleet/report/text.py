"""Runs for a person, in lines, and for a program, as plain data."""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

from fleet import recorded
from fleet.events import Event
from fleet.progress.harmless import on_one_line
from fleet.progress.lines import Lines
from fleet.progress.output import write_line
from fleet.progress.words import Words, wants_colour
from fleet.recorded import Run
from fleet.report import outcomes
from fleet.report.outcomes import Told

HEADINGS = ("RUN", "BEGUN", "TASK", "STATE", "HOSTS", "SECONDS", "CHANGED", "WHO")


def print_list(as_json: bool) -> None:
    """Every recorded run, the newest first."""
    runs = recorded.recent()
    if as_json:
        write_line(json.dumps([summary(run) for run in runs], indent=2))
        return
    for line in table(runs):
        write_line(line)


def print_run(name: str, diffs: bool, as_json: bool) -> None:
    """One run.

    Raises:
        UsageError: there is none of this name, or its record is damaged.
    """
    told = outcomes.read(name)
    if as_json:
        write_line(json.dumps(document(told), indent=2))
    else:
        show(told, write_line, wants_colour(sys.stdout), diffs)


def table(runs: Iterable[Run]) -> Iterator[str]:
    """A line for each run."""
    rows = [HEADINGS, *(row(run) for run in runs)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADINGS))]
    for line in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()


def row(run: Run) -> Tuple[str, ...]:
    """A run's cells."""
    seconds = f"{run.ended - run.begun:.1f}"
    cells = (run.name, moment(run.begun), run.task, run.state, states(run), seconds, str(run.changed), run.who or "-")
    return tuple(map(on_one_line, cells))


def states(run: Run) -> str:
    """How many hosts are in which state."""
    return ", ".join(f"{count} {state}" for state, count in run.states.items()) or "none"


def moment(at: float) -> str:
    """A time as this machine's clock would show it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def show(told: Told, put: Callable[[str], None], colour: bool, diffs: bool) -> None:
    """One run: who, when, what changed, and its recap."""
    run = told.run
    put(on_one_line(f"{run.task} {run.name}: {run.state}"))
    put(on_one_line(f"  {moment(run.begun)}, {run.ended - run.begun:.1f} s, by {run.who or 'an unknown user'}"))
    if run.command:
        put(on_one_line(f"  {shlex.join(run.command)}"))
    if run.resumes:
        put(on_one_line(f"  goes on with {run.resumes}"))
    planned = not any(outcome.results for outcome in told.outcomes)
    words = Words(colour, diffs, plans=planned)
    lines = Lines(put, words, "would-change" if planned and run.looked else "changed")
    for story in run.hosts.values():
        for line in story.of("plan") + story.of("result"):
            lines.hear(Event(story.host, line["kind"], line, line["at"]))
    lines.end(told.outcomes, False)


def summary(run: Run) -> Dict[str, Any]:
    """A run as plain data, without its hosts' outcomes."""
    return {
        "run": run.name,
        "task": run.task,
        "who": run.who,
        "state": run.state,
        "begun": run.begun,
        "seconds": round(run.ended - run.begun, 3),
        "changed": run.changed,
        "resumes": run.resumes,
        "command": list(run.command),
        "hosts": {name: story.state for name, story in run.hosts.items()},
    }


def document(told: Told) -> Dict[str, Any]:
    """A run as plain data, outcomes and all."""
    outcomes: List[Dict[str, Any]] = [outcome.as_json() for outcome in told.outcomes]
    return {**summary(told.run), "hosts": {outcome["host"]: outcome for outcome in outcomes}}
