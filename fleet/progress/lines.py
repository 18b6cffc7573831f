"""Plain lines, one for each thing that changed or failed, and the recap: stable words, for pipes and logs."""

from __future__ import annotations

from typing import IO, List

from fleet.events import Event, HostOutcome
from fleet.progress.words import Words, totals


class Lines:
    """A listener that writes lines to a stream. `verb` is what counts as changed: changed, or would change."""

    def __init__(self, stream: IO[str], words: Words, verb: str = "changed", tables: bool = False) -> None:
        self._stream = stream
        self._words = words
        self._verb = verb
        self._tables = tables

    def begin(self, run: str, hosts: List[str]) -> None:
        """Says nothing yet."""

    def hear(self, event: Event) -> None:
        """Writes what there is to say."""
        for line in self._words.of(event):
            self.write(line)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Writes the tables of checks, if asked for, and the recap."""
        if self._tables:
            for outcome in outcomes:
                if outcome.checks:
                    for line in self._words.checks(outcome):
                        self.write(line)
        width = max((len(outcome.host) for outcome in outcomes), default=0)
        for outcome in outcomes:
            for line in self._words.recap(outcome, width, self._verb, self._tables):
                self.write(line)
        if len(outcomes) > 1 or interrupted:
            self.write(totals(outcomes) + (" (interrupted)" if interrupted else ""))

    def write(self, line: str) -> None:
        """One line, at once: a pipe's reader should not wait for it."""
        self._stream.write(line + "\n")
        self._stream.flush()
