"""The page of a run: one HTML file without script or anything from outside, drawn from `templates/report/`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from fleet import recorded
from fleet.checks import SEVERITIES, Check
from fleet.errors import UsageError
from fleet.events import CHANGED, FAILED, INTERRUPTED, OK, UNREACHABLE, HostOutcome
from fleet.progress.harmless import harmless
from fleet.report import text, timeline
from fleet.report.outcomes import Told
from fleet.report.timeline import Stretch

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates" / "report"
SHADES = 12
LAST_LINES = 40
BAD = (FAILED, UNREACHABLE, INTERRUPTED, recorded.UNFINISHED)
ORDER = (*BAD, CHANGED, OK)


@dataclass(frozen=True)
class Item:
    """One resource that changed, would change, failed or was left out. `diff` holds each line with its class."""

    status: str
    id: str
    role: str
    summary: str
    seconds: float
    diff: Sequence[Tuple[str, str]]


@dataclass(frozen=True)
class Verdict:
    """A check that did not pass on some hosts."""

    name: str
    role: str
    title: str
    hosts: List[Tuple[str, Check]]

    @property
    def severity(self) -> str:
        """The gravest of the hosts'."""
        return max((check.severity for _, check in self.hosts), key=SEVERITIES.index)


@dataclass(frozen=True)
class HostPart:
    """What the page says of one host."""

    outcome: HostOutcome
    stretches: Sequence[Stretch]
    spent: Dict[str, float]
    items: Sequence[Item]
    skipped: int
    opened: bool


def render(told: Told) -> str:
    """The page.

    Raises:
        UsageError: the record is damaged.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(harmless=harmless, tail=tail, moment=text.moment, by_gravity=by_gravity)
    run = told.run
    with recorded.whole(run.name):
        # Of hundreds of hosts those come first that want somebody's eye.
        parts = sorted((part(told, outcome) for outcome in told.outcomes), key=lambda one: ORDER.index(one.outcome.state))
    groups = timeline.groups([list(each.stretches) for each in parts])
    return environment.get_template("page.html").render(
        run=run,
        parts=parts,
        verdicts=verdicts([each.outcome for each in parts]),
        numbers={one.outcome.host: number for number, one in enumerate(parts, 1)},
        shades={group: number % SHADES for number, group in enumerate(groups)},
        total=max([run.ended - run.begun, 0.001, *(each.begin + each.seconds for one in parts for each in one.stretches)]),
        first={one.outcome.state: number for number, one in reversed(list(enumerate(parts, 1)))},
        has_diffs=any(item.diff for each in parts for item in each.items),
    )


def verdicts(found: Sequence[HostOutcome]) -> List[Verdict]:
    """What did not pass, check by check over all hosts, the gravest first, then what most hosts fail."""
    failed: Dict[str, Verdict] = {}
    for outcome in found:
        for role, check in outcome.checks:
            if not check.passed:
                key = check.name or f"{role}: {check.title}"
                failed.setdefault(key, Verdict(check.name or role, role, check.title, [])).hosts.append((outcome.host, check))
    return sorted(failed.values(), key=lambda one: (-SEVERITIES.index(one.severity), -len(one.hosts)))


def by_gravity(checks: Sequence[Tuple[str, Check]]) -> List[Tuple[str, Check]]:
    """A host's checks, those first that did not pass, the gravest before the others."""
    return sorted(checks, key=lambda one: (one[1].passed, -SEVERITIES.index(one[1].severity)))


def part(told: Told, outcome: HostOutcome) -> HostPart:
    """One host's part."""
    found = list(timeline.stretches(told.run.hosts[outcome.host], told.run.begun))
    items = [item for item in items_of(outcome) if item.status != "skipped"]
    skipped = sum(result["status"] == "skipped" for result in outcome.results)
    opened = outcome.state in BAD
    return HostPart(outcome, found, timeline.by_group(found), items, skipped, opened)


def items_of(outcome: HostOutcome) -> List[Item]:
    """What was done, or else what would be."""
    planned = {change.id: change for change in outcome.plan.changes} if outcome.plan else {}
    if not outcome.results:
        return [
            Item("planned", each.id, each.role, each.summary or each.action, 0.0, marked(each.diff)) for each in planned.values()
        ]
    items = []
    for result in outcome.results:
        diff = result.get("diff") or (planned[result["id"]].diff if result["id"] in planned else "")
        items.append(
            Item(result["status"], result["id"], result["role"], result["summary"], float(result["seconds"]), marked(diff))
        )
    return items


def marked(diff: str) -> List[Tuple[str, str]]:
    """A diff's lines with their classes."""
    marks = {"+": "added", "-": "removed", "@": "place"}
    return [
        ("heading" if line.startswith(("+++", "---")) else marks.get(line[:1], "same"), line)
        for line in harmless(diff).splitlines()
    ]


def tail(said: str) -> str:
    """The last lines of what was said."""
    lines = harmless(said).splitlines()
    return "\n".join((["..."] if len(lines) > LAST_LINES else []) + lines[-LAST_LINES:])


def refuse_unwritable(option: str, path: Path) -> None:
    """Finds out, before any host is connected to, that a page can be written.

    Raises:
        UsageError: it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(descriptor)
        os.unlink(aside)
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be written: {error.strerror}") from error


def write(path: Path, page: str, option: str = "--out") -> None:
    """Writes the page, whole or not at all; it is the owner's alone, as the record is. `option` is what named the path.

    Raises:
        UsageError: it cannot be written.
    """
    aside = ""
    try:
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(page)
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise UsageError(f"{option}: {path} cannot be written: {error.strerror}") from error
