"""The run record, written as the run goes: every event as a line of JSON. `fleet.record_files` draws the directory."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Dict, List, Mapping, Optional

from fleet import record_files, state
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome

# Events of their own hold these, but for a plan that no agent made.
TOLD_BEFORE = ("results", "checks")


class Record:
    """A listener that writes the run record. `who` runs it; `about` is what else its first line tells."""

    def __init__(
        self, task: str, directory: Optional[Path] = None, who: str = "", about: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._task = task
        self._who = who
        self._about = about
        self._directory = directory or record_files.runs_directory()
        self._stream: Optional[IO[str]] = None
        self._run = ""

    def begin(self, run: str, hosts: List[str]) -> None:
        """Opens the file."""
        self._run = run
        try:
            state.prepare(self._directory)
            path = self._directory / (run + record_files.SUFFIX)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(
                f"the run record cannot be written to {self._directory}: {error.strerror}",
                resolution="set XDG_STATE_HOME to a directory of yours",
            ) from error
        record_files.hold(descriptor)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")
        opening = {
            "kind": "begin",
            "run": run,
            "task": self._task,
            "who": self._who,
            "at": time.time(),
            "hosts": hosts,
            **self._about,
        }
        self._write(opening)
        with contextlib.suppress(OSError):
            record_files.prune(self._directory)

    def hear(self, event: Event) -> None:
        """Writes one line."""
        left_out = TOLD_BEFORE if event.kind == "finished" else ()
        data = {key: value for key, value in event.data.items() if key not in left_out}
        # Last, for the host wrote the data: it speaks for no other host.
        self._write({**data, "kind": event.kind, "host": event.host, "at": event.at})

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
        if self._stream is None:
            return
        try:
            self._stream.close()
            self._replace_last(summary)
        except OSError as error:
            self._give_up(error)

    def _replace_last(self, summary: Dict[str, Any]) -> None:
        aside = self._directory / f".last-{self._run}"
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(summary, stream)
            aside.rename(self._directory / "last.json")
        except OSError:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise

    def _write(self, line: Dict[str, Any]) -> None:
        if self._stream is None:
            return
        try:
            # ASCII: a host may send what is no text in UTF-8, such as half a surrogate pair.
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        # The hosts matter more than their record.
        stream, self._stream = self._stream, None
        with contextlib.suppress(OSError):
            sys.stderr.write(f"the run record ends here: {error.strerror}\n")
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
