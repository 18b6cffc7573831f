"""A run as one JSON document, written at its end."""

from __future__ import annotations

import json
from typing import IO, List

from fleet.events import Event, HostOutcome


class Document:
    """A listener that writes nothing until the end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._run = ""

    def begin(self, run: str, hosts: List[str]) -> None:  # noqa: ARG002 # a listener's
        """Keeps the run's name."""
        self._run = run

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Writes the document."""
        hosts = {outcome.host: outcome.as_json() for outcome in outcomes}
        json.dump({"run": self._run, "interrupted": interrupted, "hosts": hosts}, self._stream, indent=2, ensure_ascii=False)
        self._stream.write("\n")
