"""Plain lines, one for each thing that changed or failed, and the recap: stable words, for pipes and logs."""

from __future__ import annotations

from typing import Callable, List

from fleet.events import Event, HostOutcome
from fleet.progress.words import Words, totals


class Lines:
    """A listener that puts out lines. `verb` is what counts as changed: changed, or would change."""

    def __init__(self, put: Callable[[str], None], words: Words, verb: str = "changed", tables: bool = False) -> None:
        self._put = put
        self._words = words
        self._verb = verb
        self._tables = tables

    def begin(self, run: str, hosts: List[str]) -> None:
        """Says nothing yet."""

    def hear(self, event: Event) -> None:
        """Writes what there is to say."""
        for line in self._words.of(event):
            self._put(line)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Writes the tables of checks, if asked for, and the recap."""
        if self._tables:
            for outcome in outcomes:
                if outcome.checks:
                    for line in self._words.checks(outcome):
                        self._put(line)
        width = max((len(outcome.host) for outcome in outcomes), default=0)
        for outcome in outcomes:
            for line in self._words.recap(outcome, width, self._verb, self._tables):
                self._put(line)
        if len(outcomes) > 1 or interrupted:
            self._put(totals(outcomes) + (" (interrupted)" if interrupted else ""))
