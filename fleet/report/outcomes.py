"""A recorded run with its hosts' outcomes, as they were told while it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from fleet import recorded
from fleet.checks import Check
from fleet.events import Fault, HostOutcome
from fleet.plan import Plan
from fleet.recorded import HostStory, Line, Run

STATUSES = ("ok", "changed", "failed", "skipped")


@dataclass(frozen=True)
class Told:
    """A run and the outcomes of its hosts, in their order."""

    run: Run
    outcomes: List[HostOutcome]


def read(name: str) -> Told:
    """The run of this name, or the last one.

    Raises:
        UsageError: there is none, or its record is damaged.
    """
    run = recorded.read(recorded.find(name))
    with recorded.whole(run.name):
        return Told(run, [outcome(story) for story in run.hosts.values()])


def outcome(story: HostStory) -> HostOutcome:
    """One host's outcome; of a host that came to no end, as much as happened."""
    end = story.outcome
    results = [line for line in story.of("result") if line["status"] != "ok"]
    checks = [line for told in story.of("checks")[-1:] for line in told["checks"]]
    return HostOutcome(
        story.host,
        state=story.state,
        counts={status: story.counts.get(status, 0) for status in STATUSES},
        seconds=float(story.seconds or lasted(story)),
        reboot=tuple(end.get("reboot", ())),
        rebooted=tuple(end.get("rebooted", ())),
        left=tuple(end.get("left", ())),
        plan=plan(story),
        results=results,
        checks=[(line["role"], check(line)) for line in checks],
        faults=[Fault(fault["brief"], fault["details"], fault["resolution"], fault["where"]) for fault in end.get("faults", ())],
    )


def check(line: Line) -> Check:
    """A recorded check; one of an older record has no name, and its severity was the highest."""
    given = {name: line[name] for name in ("title", "passed", "detail", "cure", "name", "severity", "expected") if name in line}
    return Check(**given)


def plan(story: HostStory) -> Optional[Plan]:
    """What the agent planned, or what stands at the host's end where no agent ran."""
    made = [*story.of("plan"), *([story.outcome["plan"]] if story.outcome.get("plan") else [])]
    if not made:
        return None
    errors = [error if "error" in error else {**error, "error": error} for error in made[0]["errors"]]
    return Plan.from_wire({"changes": made[0]["changes"], "errors": errors})


def lasted(story: HostStory) -> float:
    """From the first to the last that was heard of a host."""
    return max(0.0, story.events[-1]["at"] - story.events[0]["at"]) if story.events else 0.0
