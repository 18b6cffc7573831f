"""A verified host as test cases: what JUnit XML and TAP are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List

from fleet import events
from fleet.checks import CRITICAL, Check
from fleet.events import Fault, HostOutcome


@dataclass(frozen=True)
class Case:
    """One statement about a host. `problem` is empty where it holds; `broken` says that it could not be looked at.

    A problem that is not critical breaks no build.
    """

    group: str
    title: str
    problem: str = ""
    details: str = ""
    broken: bool = False
    severity: str = CRITICAL

    @property
    def counts(self) -> bool:
        """Whether it is a failure."""
        return bool(self.problem) and self.severity == CRITICAL


def cases(outcome: HostOutcome) -> Iterator[Case]:
    """The host's run itself, every resource that is not as declared, every check."""
    yield run_case(outcome)
    for change in outcome.plan.changes if outcome.plan else ():
        yield Case(change.role, f"{change.id} is as declared", change.summary or change.action, change.diff)
    for role, check in outcome.checks:
        problem = "" if check.passed else check.detail or "it is not so"
        yield Case(role, check.title, problem, "" if check.passed else details(check), severity=check.severity)


def details(check: Check) -> str:
    """What a check that did not pass says besides."""
    expected = [f"expected: {check.expected}"] if check.expected else []
    return "\n".join([*expected, *([check.cure] if check.cure else [])])


def run_case(outcome: HostOutcome) -> Case:
    """Whether the host could be verified, and is as declared."""
    broken = outcome.state in (events.UNREACHABLE, events.INTERRUPTED)
    if not outcome.faults:
        return Case("host", "is verified", outcome.state if broken else "", broken=broken)
    first, *others = outcome.faults
    return Case(
        "host", "is verified", first.brief, "\n".join([*after(first), *(line for each in others for line in told(each))]), broken
    )


def told(fault: Fault) -> List[str]:
    """A fault in lines."""
    return [f"{fault.where}: {fault.brief}" if fault.where else fault.brief, *after(fault)]


def after(fault: Fault) -> List[str]:
    """What a fault says after its first words."""
    return [part for part in (fault.details, fault.resolution) if part]
