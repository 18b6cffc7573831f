"""A verification in the Test Anything Protocol, version 13, written at its end."""

from __future__ import annotations

import json
from typing import Callable, Iterator, List

from fleet.events import Event, HostOutcome
from fleet.progress.cases import Case, cases
from fleet.progress.harmless import harmless, on_one_line


class Tap:
    """A listener that writes nothing until the end."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def begin(self, run: str, hosts: List[str]) -> None:
        """Keeps quiet."""

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Writes a line for each case, and why it failed."""
        for line in lines(outcomes):
            self._put(line)
        if interrupted:
            self._put("Bail out! interrupted")


def lines(outcomes: List[HostOutcome]) -> Iterator[str]:
    """The document."""
    found = [(outcome.host, case) for outcome in outcomes for case in cases(outcome)]
    yield "TAP version 13"
    yield f"1..{len(found)}"
    for number, (host, case) in enumerate(found, 1):
        # An unescaped # would begin a directive: a host could have its failure skipped.
        words = on_one_line(f"{host} {case.group}: {case.title}").replace("\\", "\\\\").replace("#", "\\#")
        # A directive of ours: what is to do fails no run.
        directive = f" # TODO {case.severity}" if case.problem and not case.counts else ""
        yield f"{'not ok' if case.problem else 'ok'} {number} - {words}{directive}"
        if case.problem:
            yield from diagnosis(case)


def diagnosis(case: Case) -> Iterator[str]:
    """Why a case failed, in YAML, whose strings may be JSON's."""
    yield "  ---"
    yield f"  message: {json.dumps(harmless(case.problem))}"
    yield f"  severity: {'error' if case.broken else 'fail' if case.counts else case.severity}"
    if case.details:
        yield f"  details: {json.dumps(harmless(case.details))}"
    yield "  ..."
