"""The live table on a terminal: a row for each host at work; what changed or failed scrolls by above it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Dict, List

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleet.events import Event, HostOutcome
from fleet.progress.harmless import on_one_line
from fleet.progress.lines import Lines

MOST_ROWS = 20
STYLES = {"changed": "yellow", "failed": "red", "unreachable": "red", "interrupted": "cyan", "ok": "green"}


@dataclass
class Row:
    """A host at work."""

    doing: str = "waits for its turn"
    begun: float = field(default_factory=time.monotonic)
    changed: int = 0


class LiveTable:
    """A listener that keeps a table at the bottom of the terminal; the lines above it are made by what `lines` gives."""

    def __init__(self, lines: Callable[[Callable[[str], None]], Lines]) -> None:
        self._lines = lines(self._put)
        self._rows: Dict[str, Row] = {}
        self._states: Dict[str, str] = {}
        self._total = 0
        self._console = Console(file=sys.stdout)
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def begin(self, run: str, hosts: List[str]) -> None:
        """Shows the table."""
        self._total = len(hosts)
        self._lines.begin(run, hosts)
        self._live.start()

    def hear(self, event: Event) -> None:
        """Moves the host's row on; its lines appear above the table."""
        row = self._rows.setdefault(event.host, Row())
        if event.kind == "finished":
            del self._rows[event.host]
            self._states[event.host] = event.data["state"]  # of a host that reboots after all others are done it is told twice
        else:
            row.doing = doing(event, row.doing)
            row.changed += event.kind == "result" and event.data["status"] == "changed"
        self._lines.hear(event)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Takes the table away and leaves the recap."""
        self._live.stop()
        self._lines.end(outcomes, interrupted)

    def _put(self, line: str) -> None:
        # Through the console, which takes the table away for as long; a long line is the terminal's to wrap.
        self._console.print(Text.from_ansi(line), soft_wrap=True, highlight=False)

    def _table(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        now = time.monotonic()
        # The counts come last, and a low terminal would cut them off; a row that wraps would push them out.
        for name, row in list(self._rows.items())[: max(1, min(MOST_ROWS, self._console.height - 2))]:
            cells = (name, "bold"), (f"{now - row.begun:5.1f} s", "dim"), (f"{row.changed} changed", ""), (row.doing, "")
            table.add_row(*(Text(on_one_line(text), style, no_wrap=True, overflow="ellipsis") for text, style in cells))
        counts = Text(f"{len(self._states)}/{self._total} hosts", no_wrap=True, overflow="ellipsis")
        for state, count in Counter(self._states.values()).items():
            counts.append(f"  {count} {state}", STYLES[state])
        return Group(table, counts)


def doing(event: Event, before: str) -> str:
    """What a host is at, after an event."""
    data = event.data
    if event.kind == "connecting":
        return f"connecting to {data['address']}"
    if event.kind == "facts":
        return f"checking ({data['os']['pretty_name']}, {data['arch']})"
    if event.kind == "waiting":
        return f"waits for {data['holder'].get('who', 'another run')}"
    if event.kind == "begin":
        return f"{data['role']}: {data['id']}"
    if event.kind == "sending":
        return f"sending: {data['sent'] * 100 // data['size']} % of {data['size'] / 1e6:.0f} MB"
    if event.kind == "reboot":
        return "rebooting"
    if event.kind == "booted":
        return "is back"
    if event.kind == "plan":
        return "applying" if data["changes"] else "verifying"
    return before
