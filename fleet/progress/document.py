"""A run as one JSON document, written at its end."""

from __future__ import annotations

import json
from typing import Callable, List

from fleet.events import Event, HostOutcome


class Document:
    """A listener that writes nothing until the end."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put
        self._run = ""

    def begin(self, run: str, hosts: List[str]) -> None:  # noqa: ARG002 # a listener's
        """Keeps the run's name."""
        self._run = run

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Writes the document."""
        hosts = {outcome.host: outcome.as_json() for outcome in outcomes}
        self._put(json.dumps({"run": self._run, "interrupted": interrupted, "hosts": hosts}, indent=2, ensure_ascii=False))
