"""The run record: every event of a run as a line of JSON.

    <state>/skiff/runs/<run>.jsonl   0600; the first line names the run and its hosts, the last one sums it up
    <state>/skiff/runs/last.json     the last run's summary

<state> is XDG_STATE_HOME, or ~/.local/state.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any, Dict, List, Optional

from fleet.errors import UsageError
from fleet.events import Event, HostOutcome


def runs_directory() -> Path:
    """Where run records are kept."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "skiff" / "runs"


class Record:
    """A listener that writes the run record as the run goes."""

    def __init__(self, task: str, directory: Optional[Path] = None) -> None:
        self._task = task
        self._directory = directory or runs_directory()
        self._stream: Optional[IO[str]] = None
        self._run = ""

    def begin(self, run: str, hosts: List[str]) -> None:
        """Opens the file."""
        self._run = run
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._directory / f"{run}.jsonl", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(
                f"the run record cannot be written to {self._directory}: {error.strerror}",
                resolution="set XDG_STATE_HOME to a directory of yours",
            ) from error
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")
        self._write({"kind": "begin", "run": run, "task": self._task, "at": time.time(), "hosts": hosts})

    def hear(self, event: Event) -> None:
        """Writes one line."""
        self._write({"kind": event.kind, "host": event.host, "at": event.at, **event.data})

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Sums up and closes."""
        summary = {
            "kind": "end",
            "run": self._run,
            "task": self._task,
            "at": time.time(),
            "interrupted": interrupted,
            "hosts": {
                outcome.host: {"state": outcome.state, **outcome.counts, "seconds": round(outcome.seconds, 3)}
                for outcome in outcomes
            },
        }
        self._write(summary)
        if self._stream is not None:
            self._stream.close()
            self._replace_last(summary)

    def _replace_last(self, summary: Dict[str, Any]) -> None:
        aside = self._directory / f".last-{self._run}"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(summary, stream)
        aside.rename(self._directory / "last.json")

    def _write(self, line: Dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._stream.flush()
        except OSError as error:
            # The hosts matter more than their record.
            sys.stderr.write(f"the run record ends here: {error.strerror}\n")
            stream, self._stream = self._stream, None
            with contextlib.suppress(OSError):
                stream.close()
