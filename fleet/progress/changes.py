"""What a verification found otherwise than the one before it: a line, or an object of JSON, for each verdict that changed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Tuple

from fleet.events import Event, HostOutcome
from fleet.progress.harmless import harmless, on_one_line
from fleet.progress.words import clipped

OK, HOST, DIFFERS = "ok", "host", "differs"

# Of one host: by a check's name, a resource's id or the word host, the verdict, and what there is to say about it.
Verdicts = Dict[str, "Verdict"]


@dataclass(frozen=True)
class Verdict:
    """How one thing is. `title` and the rest are for a person, and do not count as a change."""

    state: str
    title: str = ""
    detail: str = ""
    cure: str = ""


class Changes:
    """A listener of round after round. In JSON the first tells all that is not well; else it is shown by other means.

    `outcomes` are the last round's that was not cut short.
    """

    def __init__(self, put: Callable[[str], None], as_json: bool = False) -> None:
        self._put = put
        self._json = as_json
        self._before: Dict[str, Verdicts] = {}
        self.outcomes: List[HostOutcome] = []

    def begin(self, run: str, hosts: List[str]) -> None:
        """Says nothing yet."""

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Tells what changed; a round that was cut short is no round."""
        if interrupted:
            return
        self.outcomes = outcomes
        for outcome in outcomes:
            now = verdicts(outcome)
            before = self._before.setdefault(outcome.host, {})
            if before or self._json:
                for name, was, is_ in differences(before, now):
                    self._put(self._told(outcome.host, name, was, is_))
            if len(now) > 1:
                before.clear()
            # Of a host that was not looked at, nothing is known but that.
            before.update(now)

    def _told(self, host: str, name: str, was: Verdict, is_: Verdict) -> str:
        if self._json:
            fields = {"at": time.time(), "host": host, "check": name, "was": was.state, "is": is_.state}
            return json.dumps({**fields, "title": is_.title, "detail": is_.detail, "cure": is_.cure})
        title = f" {is_.title}" if is_.title else ""
        detail = f": {clipped(on_one_line(is_.detail))}" if is_.detail else ""
        cure = "".join(f"\n           -> {line}" for line in harmless(is_.cure).splitlines())
        moment = time.strftime("%H:%M:%S")
        return on_one_line(f"{moment}  {host}: {name}: {was.state} -> {is_.state}{title}{detail}") + cure


def verdicts(outcome: HostOutcome) -> Verdicts:
    """All that is known of a host."""
    found = {HOST: Verdict(outcome.state, detail="; ".join(fault.brief for fault in outcome.faults))}
    for role, check in outcome.checks:
        state = OK if check.passed else check.severity
        found[check.name or f"{role}: {check.title}"] = Verdict(
            state, check.title, check.detail, "" if check.passed else check.cure
        )
    for change in outcome.plan.changes if outcome.plan else ():
        found[change.id] = Verdict(DIFFERS, detail=change.summary, cure=f"./inv provision --hosts {outcome.host}")
    return found


def differences(before: Verdicts, now: Verdicts) -> Iterator[Tuple[str, Verdict, Verdict]]:
    """Each name with what it was and what it is; what is gone is well again, or was not looked at."""
    known = len(now) > 1
    for name in dict.fromkeys([*now, *before]):
        was, is_ = before.get(name, Verdict(OK)), now.get(name, Verdict(OK, before[name].title if name in before else ""))
        if was.state != is_.state and (known or name in now):
            yield name, was, is_
