"""Carries a rollout's steps out on the hosts, each step one run of the engine over a batch; and keeps what each host came to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from fleet import events
from fleet.agent import succession
from fleet.checks import CRITICAL
from fleet.events import Event, Fault, HostOutcome, Listener
from fleet.inventory.model import Host
from fleet.roles import defaults
from fleet.rollout import gate, position, standing
from fleet.rollout.gate import Stopped
from fleet.rollout.position import Line, Position
from fleet.rollout.standing import Standing
from fleet.run.job import APPLY, VERIFY, Job

# One run over some hosts: their outcomes, and whether somebody interrupted it.
Fan = Callable[[Job, Sequence[Host], Sequence[Listener]], Tuple[List[HostOutcome], bool]]
Show = Callable[[Job], Sequence[Listener]]

UPGRADE, BACK = "upgrade", "rollback"
OTHER_ENGINE = "its engine is Docker's own"
NOT_HERE = "there is no Skiff here: `./inv provision` deploys it"


class Hearing:
    """A listener that hands on what is heard in one of a rollout's runs to one that knows of a single run."""

    def __init__(self, whole: Sequence[Listener]) -> None:
        self._whole = whole

    def begin(self, run: str, hosts: List[str]) -> None:
        """The rollout began before."""

    def hear(self, event: Event) -> None:
        """Hands it on."""
        for listener in self._whole:
            listener.hear(event)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """The rollout goes on."""


class Crew:
    """The hosts of one rollout. `base` is the job of all steps, `to` the version for all, empty for each host's previous one.

    `whole` are listeners that hear the rollout as a single run, `show` gives those that show one step.
    """

    def __init__(
        self, hosts: Sequence[Host], base: Job, verb: str, to: str, fan: Fan, whole: Sequence[Listener], show: Show
    ) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._base = base
        self._verb = verb
        self._to = to
        self._fan = fan
        self._whole = whole
        self._show = show
        self._outcomes: Dict[str, HostOutcome] = {}
        self._steps = 0

    def look(self, names: Sequence[str]) -> Dict[str, Line]:
        """What each host runs, and what is to become of it.

        Raises:
            Stopped: somebody interrupted it.
        """
        job = replace(self._base, mode=VERIFY, roles=(), questions=(standing.asked(),))
        ours = [name for name in names if not self._is_docker(self._hosts[name])]
        outcomes = self._run(job, ours, [])
        found = {name: {"state": position.LEFT, "why": OTHER_ENGINE} for name in names if name not in ours}
        return {**found, **{outcome.host: self._looked(outcome) for outcome in outcomes}}

    def _is_docker(self, host: Host) -> bool:
        return defaults.values(self._base.declared, host.variables).get("engine") == "docker-ce"

    def _looked(self, outcome: HostOutcome) -> Line:
        here = standing.told(outcome)
        if here is None:
            return became(outcome)
        if here.current is None:
            return {"state": position.REFUSED, "why": NOT_HERE}
        to = self._to or here.previous
        kept = "; ".join(sorted(here.kept)) or "none"
        if to is None:
            return {"state": position.REFUSED, "why": f"no version was here before {here.current}; kept are {kept}"}
        line: Dict[str, Any] = {"from": here.current, "to": to, "why": ""}
        if here.runs(to):
            return {**line, "state": position.THERE}
        if self._verb == BACK and to not in here.kept:
            return {**line, "state": position.REFUSED, "why": f"{to} is not kept here; there are {kept}"}
        refused = succession.refusal(here.as_json(), {**self._wanted(here, to), "version": to}, self._goes_back)
        if refused is not None:
            return {**line, "state": position.REFUSED, "why": ": ".join(refused)}
        # Whatever becomes of it, this is the way back.
        return {**line, "state": position.TO_DO, "kept": {name: here.kept.get(name) for name in {here.current, to}}}

    def _wanted(self, here: Standing, to: str) -> Mapping[str, Any]:
        return self._base.inputs["succession"] if self._verb == UPGRADE else here.kept[to]

    @property
    def _goes_back(self) -> bool:
        return self._verb == BACK or bool(self._base.inputs["succession"]["back"])

    def change(self, told: Position, names: Sequence[str]) -> Dict[str, Line]:
        """Brings the version to hosts; what became of each. They are verified here unless a gate does.

        Raises:
            Stopped: somebody interrupted it.
        """
        job = replace(self._job(APPLY, told), probed=gate.VERIFY not in told.terms.gates)
        return {one.host: became(one) for one in self._run(job, names, self._show(job))}

    def verify(self, told: Position, names: Sequence[str]) -> Dict[str, Line]:
        """The hosts that are not as they should be, each with why.

        Raises:
            Stopped: somebody interrupted it.
        """
        job = self._job(VERIFY, told)
        found = {one.host: became(one) for one in self._run(job, names, self._show(job))}
        return {name: line for name, line in found.items() if line["state"] != position.CHANGED}

    def restore(self, told: Position, names: Sequence[str]) -> Dict[str, Line]:
        """Puts hosts back to the version that they had; what became of each.

        Raises:
            Stopped: somebody interrupted it.
        """
        looked = told.looked or {}
        job = replace(self._base, mode=APPLY, own={name: kept_version(looked[name], looked[name]["from"]) for name in names})
        return {one.host: became(one) for one in self._run(job, names, self._show(job))}

    def _job(self, mode: str, told: Position) -> Job:
        if self._verb == UPGRADE:
            return replace(self._base, mode=mode)
        looked = told.looked or {}
        return replace(self._base, mode=mode, own={name: kept_version(looked[name], looked[name]["to"]) for name in told.to_do})

    def _run(self, job: Job, names: Sequence[str], shown: Sequence[Listener]) -> List[HostOutcome]:
        if not names:
            return []
        # To the record, a host that was only looked at has not come to its end.
        whole = [] if job.questions else [Hearing(self._whole)]
        self._steps += 1
        # Dask's workers know a job by its run's name.
        job = replace(job, run=f"{self._base.run}.{self._steps}")
        outcomes, interrupted = self._fan(job, [self._hosts[name] for name in names], [*whole, *shown])
        for outcome in outcomes:
            outcome.facts = None  # of ten thousand hosts they would fill the memory
            if job.mode == APPLY or outcome.state != events.OK:
                self._outcomes[outcome.host] = outcome
        if interrupted:
            raise Stopped("interrupted")
        return outcomes

    def outcomes(self, told: Position) -> List[HostOutcome]:
        """What each host came to in the whole rollout, in their order."""
        return [self._outcome(name, told.of(name)) for name in self._hosts]

    def _outcome(self, name: str, line: Line) -> HostOutcome:
        outcome = self._outcomes.get(name) or HostOutcome(name)
        state = line["state"]
        outcome.state = STATES.get(state, events.FAILED)
        if state == position.RESTORED:
            outcome.faults.append(Fault(f"was put back: {line['why']}"))
        elif outcome.state in (events.FAILED, events.UNREACHABLE) and not outcome.faults:
            outcome.faults.append(Fault(line["why"]))
        return outcome


STATES = {
    position.THERE: events.OK,
    position.LEFT: events.OK,
    position.CHANGED: events.CHANGED,
    position.UNREACHABLE: events.UNREACHABLE,
    position.TO_DO: events.INTERRUPTED,
}


def kept_version(looked: Line, version: str) -> Dict[str, Any]:
    """The variables that lead a host to a version that it keeps: no bundle is sent."""
    told = (looked["kept"] or {}).get(version) or {"follows": None, "shims": None}
    return {"bundle": None, "bundle_version": version, "succession": {**told, "back": True}}


def became(outcome: HostOutcome) -> Line:
    """What became of a host in one run, and why if it failed."""
    if outcome.state in (events.OK, events.CHANGED) and not outcome.faults:
        return {"state": position.CHANGED, "why": ""}
    whys = [fault.brief for fault in outcome.faults]
    whys += [f"{check.title}: {check.detail}" for _, check in outcome.checks if not check.passed and check.severity == CRITICAL]
    state = position.UNREACHABLE if outcome.state == events.UNREACHABLE else position.FAILED
    return {"state": state, "why": whys[0] if whys else outcome.state}
