"""How hosts fare in pull mode, as they tell it: when each last converged, from which state, and what stands in its way."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from fleet.checks import Probe
from fleet.events import HostOutcome
from fleet.exchange.messages import moment
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_error, write_line
from fleet.run.answers import print_json, show_faults

NAME = "pull.status"
NOT_INSTALLED = 3
# The timer's state, then how the last pull went.
SCRIPT = (
    f"test -e /etc/skiff-pull/settings.json || exit {NOT_INSTALLED}; "
    "systemctl is-active skiff-pull.timer; "
    "cat /var/lib/skiff-agent/pull/status.json 2>/dev/null || echo null"
)
HEADINGS = ("HOST", "RESULT", "LAST PULL", "CONVERGED", "PUBLISHED", "SERIAL")


@dataclass
class Standing:
    """A host's pull mode. `result` is changed, unchanged, failed, never, or absent; times in seconds since 1970."""

    result: str
    timer: str = ""
    ended: Optional[float] = None
    converged: Optional[float] = None
    made: str = ""
    serial: Optional[int] = None
    expired: bool = False
    error: Mapping[str, str] = field(default_factory=dict)
    cost: Dict[str, Any] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether nothing calls for an administrator."""
        return self.result in ("changed", "unchanged") and self.timer == "active" and not self.expired


def asked() -> Probe:
    """The question."""
    return Probe(NAME, ("/bin/sh", "-c", SCRIPT))


def show(outcomes: Sequence[HostOutcome], as_json: bool) -> bool:
    """Prints every host's standing; whether all fare well."""
    found = {outcome.host: standing(outcome) for outcome in outcomes}
    known = {host: one for host, one in found.items() if one is not None}
    if as_json:
        told = {host: None if one is None else {**asdict(one), "well": one.well} for host, one in found.items()}
        print_json({one.host: {"state": one.state, "pull": told[one.host], "faults": one.as_json()["faults"]} for one in outcomes})
        return len(known) == len(found) and all(one.well for one in known.values())
    for line in table(known) if known else ():
        write_line(line)
    sys.stdout.flush()
    for host, one in known.items():
        for line in complaints(one):
            write_error(f"{host}: {on_one_line(line)}")
    show_faults(outcomes)
    return len(known) == len(found) and all(one.well for one in known.values())


def standing(outcome: HostOutcome) -> Optional[Standing]:
    """What a host told; None where it told nothing."""
    answer = outcome.answers.get(NAME)
    if answer is None:
        return None
    if answer.status == NOT_INSTALLED:
        return Standing("absent")
    timer, _, rest = answer.stdout.partition("\n")
    try:
        status = json.loads(rest)
        if status is None:
            return Standing("never", timer)
        return read(status, timer)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, RecursionError) as error:
        return Standing("failed", timer, error={"brief": f"what the host keeps of its last pull is not understood: {error}"})


def read(status: Mapping[str, Any], timer: str) -> Standing:
    """The standing in a host's status.json.

    Raises:
        KeyError, TypeError, ValueError: it is of another form.
    """
    ended, converged = moment_of(status["ended"]), status["converged"]
    return Standing(
        str(status["result"]),
        timer,
        ended,
        None if converged is None else moment_of(converged),
        str(status.get("made", "")),
        int(status["serial"]) if "serial" in status else None,
        moment_of(status.get("expires", ended)) < ended,
        {name: str(text) for name, text in (status["error"] or {}).items()},
        {name: status[name] for name in ("cpu", "seconds", "bytes", "requests")},
    )


def moment_of(value: object) -> float:
    """Seconds since 1970, of a year with four digits.

    Raises:
        ValueError: a host says something else.
    """
    if not moment(value):
        raise ValueError(f"{value!r} is no time")
    return float(str(value))


def complaints(one: Standing) -> Iterator[str]:
    """What calls for an administrator, each with its cure."""
    if one.result == "absent":
        yield "is not in pull mode -> ./inv pull.install"
        return
    if one.timer != "active":
        yield f"its timer is {one.timer or 'unknown'} -> ./inv pull.install starts it"
    if one.result == "never":
        yield "has not pulled yet -> wait for its timer, or: ./inv exec --hosts ... -- systemctl start --no-block skiff-pull"
    if one.error:
        said = " ".join(part for part in (one.error.get("brief", ""), one.error.get("details", "")) if part)
        yield f"{said} -> {one.error.get('resolution') or 'journalctl -u skiff-pull'}"
    if one.expired:
        yield "what is published for it has expired -> ./inv pull.publish, and see that the source gives it"


def table(found: Mapping[str, Standing]) -> Iterator[str]:
    """A line for each host, in columns."""
    rows: List[Sequence[str]] = [HEADINGS, *([on_one_line(cell) for cell in cells(host, one)] for host, one in found.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def cells(host: str, one: Standing) -> Sequence[str]:
    """A host's columns."""
    return (host, one.result, shown(one.ended), shown(one.converged), one.made or "-", str(one.serial or "-"))


def shown(seconds: Optional[float]) -> str:
    """A time for a person."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "-"
