"""What a run tells its listeners: events as they happen, and each host's outcome at its end."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Protocol, Tuple

from fleet.checks import CRITICAL, WARNING, Check, Outcome
from fleet.errors import FleetError
from fleet.plan import Plan
from fleet.saved.host import KeptHost

OK, CHANGED, FAILED, UNREACHABLE, INTERRUPTED = "ok", "changed", "failed", "unreachable", "interrupted"
STATES = (OK, CHANGED, FAILED, UNREACHABLE, INTERRUPTED)


@dataclass(frozen=True)
class Event:
    """Something that happened on a host.

    `kind` is connecting, facts, waiting, plan, moved, sending, begin, result, answers, checks, reboot,
    booted or finished; `data` is its message in plain data.
    """

    host: str
    kind: str
    data: Mapping[str, Any]
    at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Fault:
    """Something that went wrong, for a person. `where` is a resource's id, a role's name, or empty."""

    brief: str
    details: str = ""
    resolution: str = ""
    where: str = ""

    @classmethod
    def of(cls, error: FleetError, where: str = "") -> Fault:
        """The fault in an error."""
        return cls(error.brief, error.details, error.resolution, where)


@dataclass
class HostOutcome:
    """How one host's run went; filled while it goes.

    `reboot` is why it has to be started anew, `rebooted` why it was; `boot` names the boot that is to end, once that is ordered.
    `results` are the agent's `result` messages of what was not ok; `left` is what an undo left: its `id`, `why`, and whether it is
    `over`; `copies` what the host could bring back; `kept` is the host's part of a plan that is to be saved.
    """

    host: str
    state: str = OK
    counts: Dict[str, int] = field(default_factory=lambda: {"ok": 0, "changed": 0, "failed": 0, "skipped": 0})
    seconds: float = 0.0
    reboot: Tuple[str, ...] = ()
    rebooted: Tuple[str, ...] = ()
    boot: str = ""
    left: Tuple[Mapping[str, Any], ...] = ()
    copies: List[Mapping[str, Any]] = field(default_factory=list)
    plan: Optional[Plan] = None
    results: List[Mapping[str, Any]] = field(default_factory=list)
    checks: List[Tuple[str, Check]] = field(default_factory=list)
    answers: Dict[str, Outcome] = field(default_factory=dict)
    faults: List[Fault] = field(default_factory=list)
    facts: Optional[Mapping[str, Any]] = None
    kept: Optional[KeptHost] = None

    @property
    def failed_checks(self) -> int:
        """How many checks say that containers do not run on the host as declared."""
        return self.failing(CRITICAL)

    @property
    def warnings(self) -> int:
        """How many checks say that something beside them is impaired, or will be."""
        return self.failing(WARNING)

    def failing(self, severity: str) -> int:
        """How many checks of a severity did not pass."""
        return sum(not check.passed and check.severity == severity for _, check in self.checks)

    def as_json(self) -> Dict[str, Any]:
        """The outcome as plain data."""
        return {
            "host": self.host,
            "state": self.state,
            **self.counts,
            "seconds": round(self.seconds, 3),
            "reboot": list(self.reboot),
            "rebooted": list(self.rebooted),
            "left": list(self.left),
            "plan": self.plan.as_json() if self.plan else None,
            "results": list(self.results),
            "checks": [{"role": role, **asdict(check)} for role, check in self.checks],
            "faults": [asdict(fault) for fault in self.faults],
        }


class Listener(Protocol):
    """Hears a run's events, one after the other, in the main thread."""

    def begin(self, run: str, hosts: List[str]) -> None:
        """The run begins."""

    def hear(self, event: Event) -> None:
        """Something happened."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Every host is done; outcomes in the order of the hosts."""
