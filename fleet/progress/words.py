"""The words for events, faults and checks, the same in lines and in the live table."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import IO, Any, Iterator, List, Mapping, Sequence

from fleet import events
from fleet.checks import CRITICAL, INFO, WARNING, Check
from fleet.events import Event, Fault, HostOutcome
from fleet.plan import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Plan, coloured_diff, detail, paint
from fleet.progress.harmless import harmless, on_one_line
from fleet.progress.quantity import quantity

LONGEST = 240
SHADES = {
    events.OK: GREEN,
    events.CHANGED: YELLOW,
    events.FAILED: RED,
    events.UNREACHABLE: RED,
    events.INTERRUPTED: CYAN,
    "skipped": CYAN,
    "unfinished": CYAN,
}
# What stands before a check that did not pass.
MARKS = {CRITICAL: ("FAILED", RED), WARNING: ("warns ", YELLOW), INFO: ("note  ", CYAN)}


def wants_colour(stream: IO[str]) -> bool:
    """Whether to colour what goes to a stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Words:
    """Turns events into lines. `diffs` shows the differences of files, `plans` the plan itself: it is what check mode is for."""

    def __init__(self, colour: bool, diffs: bool, plans: bool) -> None:
        self._colour = colour
        self._diffs = diffs
        self._plans = plans

    def of(self, event: Event) -> Iterator[str]:
        """The lines for an event; most say nothing."""
        data = event.data
        if event.kind == "waiting":
            yield f"{event.host}: waits for the run of {holder(data['holder'])}"
        elif event.kind == "plan":
            yield from self._plan(event.host, data)
        elif event.kind == "reboot" and not data["error"]:
            containers = f"; these run there: {', '.join(data['containers'])}" if data["containers"] else ""
            yield on_one_line(f"{event.host}: reboots{containers}")
        elif event.kind == "booted":
            yield f"{event.host}: is back after {data['seconds']:.0f} s"
        elif event.kind == "result" and data["status"] in ("changed", "failed"):
            yield from self._result(event.host, data)

    def _plan(self, host: str, data: Mapping[str, Any]) -> Iterator[str]:
        if not self._plans:
            return
        plan = shown(Plan.from_wire(data))
        changes = quantity(len(plan.changes), "change") if plan.changes else "no changes"
        yield f"{paint(host, BOLD, self._colour)}: {changes}"
        yield from plan.lines(self._colour, self._diffs)

    def _result(self, host: str, data: Mapping[str, Any]) -> Iterator[str]:
        status = paint(data["status"], SHADES[data["status"]], self._colour)
        seconds = f" ({data['seconds']:.1f} s)" if data["seconds"] >= 0.1 else ""
        summary = on_one_line(detail(data["summary"], data["id"]))
        yield f"{host}: {status} {on_one_line(data['id'])}  {paint(summary, DIM, self._colour)}{seconds}".rstrip()
        if self._diffs and data["diff"]:
            yield from coloured_diff(harmless(data["diff"]), self._colour, "    ")

    def recap(self, outcome: HostOutcome, width: int, verb: str, checks_shown: bool) -> Iterator[str]:
        """A host's closing lines: the counts, what went wrong, what is left to do."""
        counts = outcome.counts
        state = paint(f"{outcome.state:<11}", SHADES[outcome.state], self._colour)
        numbers = f"ok={counts['ok']} {verb}={counts['changed']} failed={counts['failed']} skipped={counts['skipped']}"
        passed = sum(check.passed for _, check in outcome.checks)
        checks = f" checks={passed}/{len(outcome.checks)}" if outcome.checks else ""
        warnings = paint(f" warnings={outcome.warnings}", YELLOW, self._colour) if outcome.warnings else ""
        yield f"{outcome.host:<{width}}  {state} {numbers}{checks}{warnings}  {outcome.seconds:.1f} s"
        for fault in outcome.faults:
            yield from self.fault(fault, "    ")
        for role, check in outcome.checks:
            if not check.passed and not checks_shown:
                yield from self.check(role, check, "    ")
        for reason in outcome.rebooted:
            yield f"    {paint('rebooted', GREEN, self._colour)}: {on_one_line(reason)}"
        for reason in outcome.reboot:
            yield f"    {paint('reboot required', YELLOW, self._colour)}: {on_one_line(reason)}"
        for one in outcome.left:
            yield f"    {paint('left', YELLOW, self._colour)} {on_one_line(one['id'])}: {on_one_line(one['why'])}"
        if outcome.state == events.INTERRUPTED:
            yield from self._left(outcome)

    def _left(self, outcome: HostOutcome) -> Iterator[str]:
        done = [result["id"] for result in outcome.results if result["status"] == "changed"]
        left = [result["id"] for result in outcome.results if result["status"] == "skipped"]
        planned = {change.id for change in outcome.plan.changes} if outcome.plan else set()
        yield f"    done: {', '.join(done) or 'nothing'}"
        yield f"    not done: {', '.join(name for name in left if name in planned) or ('nothing' if outcome.plan else 'all of it')}"

    def fault(self, fault: Fault, indent: str) -> Iterator[str]:
        """What went wrong, the details, and the way out."""
        where = f"{fault.where}: " if fault.where else ""
        yield indent + paint(on_one_line(f"{where}{fault.brief}"), RED, self._colour)
        yield from (f"{indent}  {line}" for line in harmless(fault.details).splitlines()[-12:])
        yield from (f"{indent}  -> {line}" for line in harmless(fault.resolution).splitlines())

    def check(self, role: str, check: Check, indent: str) -> Iterator[str]:
        """One check in a line; of one that did not pass its name, what was expected, and what to do."""
        mark = paint("ok    ", GREEN, self._colour) if check.passed else paint(*MARKS[check.severity], self._colour)
        detail = f": {clipped(' '.join(harmless(check.detail).split()))}" if check.detail else ""
        name = paint(f" ({on_one_line(check.name)})", DIM, self._colour) if check.name and not check.passed else ""
        yield f"{indent}{mark} {role:<13} {on_one_line(check.title)}{name}{detail}"
        if not check.passed and check.expected:
            yield f"{indent}       expected: {clipped(on_one_line(check.expected))}"
        if not check.passed and check.cure:
            yield from (f"{indent}       -> {line}" for line in harmless(check.cure).splitlines())

    def checks(self, outcome: HostOutcome) -> Iterator[str]:
        """All checks of a host."""
        yield paint(outcome.host, BOLD, self._colour)
        for role, check in outcome.checks:
            yield from self.check(role, check, "  ")


def shown(plan: Plan) -> Plan:
    """A plan whose words came from a host, fit to be shown."""
    changes = [
        replace(c, id=on_one_line(c.id), action=on_one_line(c.action), summary=on_one_line(c.summary), diff=harmless(c.diff))
        for c in plan.changes
    ]
    errors = [
        replace(e, brief=on_one_line(e.brief), details=harmless(e.details), resolution=harmless(e.resolution)) for e in plan.errors
    ]
    return Plan(tuple(changes), tuple(errors))


def clipped(text: str) -> str:
    """A text that fits into a line or two: its beginning, and more of its end, where a program says what went wrong."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 3]} ... {text[-2 * LONGEST // 3 :]}"


def holder(data: Mapping[str, Any]) -> str:
    """Another run, named."""
    return on_one_line(f"{data.get('who', 'somebody')} (since {data.get('since', 'unknown')})")


def totals(outcomes: Sequence[HostOutcome]) -> str:
    """How many hosts ended in which state."""
    states: List[str] = [outcome.state for outcome in outcomes]
    parts = [f"{states.count(state)} {state}" for state in dict.fromkeys((*events.STATES, *states)) if state in states]
    return f"{quantity(len(outcomes), 'host')}: {', '.join(parts)}"
