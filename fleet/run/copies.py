"""What hosts keep of the files that runs replaced: which of it a restore means, and the list of it."""

from __future__ import annotations

import sys
import time
from typing import Any, Iterator, List, Mapping, Sequence

from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_line
from fleet.run.answers import print_json, show_faults

# Whose containers stand against a deprovision: the clients of the engines that roles set up, by the engine's unit.
CLIENTS = {"skiff.service": "/usr/local/bin/skiff", "docker.service": "/usr/bin/docker"}
HEADINGS = ("RUN", "CHANGED", "PATH", "BEFORE THAT")


def check_options(path: str, run: str, since: str, listing: bool) -> None:
    """Refuses a restore that does not say what.

    Raises:
        UsageError: it says nothing, or two things.
    """
    if path and not path.startswith("/"):
        raise UsageError(f"--path {path!r}: should be an absolute path")
    if run and since:
        raise UsageError("--run and --since do not go together", resolution="leave one out")
    if not (path or run or since or listing):
        raise UsageError("what is to be restored?", resolution="name it with --path, --run or --since; --list shows what is kept")


def show(outcomes: Sequence[HostOutcome], path: str, as_json: bool) -> None:
    """Prints what every host keeps."""
    kept = {one.host: [copy for copy in one.copies if path in ("", copy["path"])] for one in outcomes}
    if as_json:
        print_json(
            {one.host: {"state": one.state, "copies": kept[one.host], "faults": one.as_json()["faults"]} for one in outcomes}
        )
        return
    for outcome in outcomes:
        if outcome.faults:
            continue
        write_line(f"{outcome.host}: {len(kept[outcome.host]) or 'no'} {'copy' if len(kept[outcome.host]) == 1 else 'copies'}")
        for line in table(kept[outcome.host]):
            write_line(f"  {line}")
    sys.stdout.flush()
    show_faults(outcomes)


def table(copies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each copy, in columns."""
    if not copies:
        return
    rows: List[Sequence[str]] = [HEADINGS, *([on_one_line(cell) for cell in cells(copy)] for copy in copies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def cells(copy: Mapping[str, Any]) -> Sequence[str]:
    """A copy's columns."""
    what = f"link to {copy['target']}" if copy["type"] == "link" else f"file, mode {copy['mode']}"
    original = ", as it was before Skiff" if copy["original"] else ""
    return (copy["run"], time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(copy["at"])), copy["path"], what + original)
