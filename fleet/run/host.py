"""One host's run, from the connect to its outcome. Whatever happens, an outcome comes back."""

from __future__ import annotations

import time
import traceback
from dataclasses import astuple, replace
from typing import AbstractSet, Any, Callable, Dict, Mapping, NoReturn, Optional, Sequence, Tuple

from fleet import bootstrap, events
from fleet.agent.redaction import Redaction
from fleet.checks import Check, Outcome
from fleet.errors import FleetError, HostError, UnreachableError
from fleet.events import Event, Fault, HostOutcome
from fleet.exchange.opening import PythonMissing
from fleet.exchange.session import Session
from fleet.inventory.model import Host
from fleet.plan import Change, Plan
from fleet.run import desired, keeping
from fleet.run.job import APPLY, CHECK, FACTS, VERIFY, Job
from fleet.saved.host import Desired
from fleet.secret import Secret
from fleet.transport import Transport
from fleet.transport.stop import Stop

Emit = Callable[[Event], None]
Connect = Callable[[Host, Stop], Transport]

PYTHON = {"id": "python", "role": "preflight"}


class PythonWouldBeInstalled(HostError):
    """Check mode met a host without Python: nothing more can be said of it."""


class Refused(HostError):
    """Roles refuse the host; their reasons are in its outcome."""


class HostRun:
    """One host's exchange. `stopping` is set when the run is to end early."""

    def __init__(self, host: Host, job: Job, connect: Connect, emit: Emit, stopping: Stop) -> None:
        self._host = host
        self._job = job
        self._connect = connect
        self._emit = emit
        self._stopping = stopping
        self._reached = False
        self._installing: Optional[float] = None
        self._resources = 0
        self._heard = 0.0
        self._secrets: AbstractSet[Secret] = frozenset()
        self.outcome = HostOutcome(host.name)

    def __call__(self) -> HostOutcome:
        """Does it all; errors end up in the outcome."""
        begun = time.monotonic()
        try:
            self._run(begun + self._job.timeout)
        except PythonWouldBeInstalled as error:
            self._foresee(Change("python", "preflight", False, "install", error.brief, ""))
        except Refused:
            self.outcome.state = events.FAILED
        except FleetError as error:
            self._fail(error)
        except Exception as error:
            self._fail(HostError(f"internal error: {type(error).__name__}: {error}", traceback.format_exc(), "please report this"))
        self.outcome.seconds = time.monotonic() - begun
        # What the agent says comes without secrets; a role's error, or what the host says besides, may quote one.
        self.outcome.faults = [Fault(*map(self._hide, astuple(fault))) for fault in self.outcome.faults]
        self._tell("finished", self.outcome.as_json())
        return self.outcome

    def _hide(self, text: str) -> str:
        return Redaction(one.reveal() for one in self._secrets).text(text)

    def _without_secrets(self, check: Check) -> Check:
        """A check without what it quotes of a host, or of what was declared, that should stay unsaid."""
        hide = self._hide
        return replace(
            check, title=hide(check.title), detail=hide(check.detail), expected=hide(check.expected), cure=hide(check.cure)
        )

    def _foresee(self, change: Change) -> None:
        self.outcome.plan = Plan((change,))
        self.outcome.counts["changed"] = 1
        self.outcome.state = events.CHANGED
        self._tell("plan", self.outcome.plan.as_json())

    def _fail(self, error: FleetError) -> None:
        # Once something may have been done, a lost connection is a failure of this host's run, not a host that was not met.
        unreachable = isinstance(error, UnreachableError) and not self._reached
        self.outcome.faults.append(Fault.of(error))
        if self._stopping.is_set() and not self._reached:
            self.outcome.state = events.INTERRUPTED
        else:
            self.outcome.state = events.UNREACHABLE if unreachable else events.FAILED

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        self._emit(Event(self._host.name, kind, data))

    def _run(self, deadline: float) -> None:
        if self._stopping.is_set():
            self.outcome.state = events.INTERRUPTED
            return
        self._tell("connecting", {"address": self._host.target})
        transport = self._connect(self._host, self._stopping)
        try:
            become = transport.user != "root" if self._host.become is None else self._host.become
            self._open(transport, bootstrap.prepare(become), deadline)
        finally:
            transport.close()

    def _open(self, transport: Transport, started: bootstrap.Bootstrap, deadline: float) -> None:
        channel = transport.open(started.command)
        try:
            desired.prepare(self._job)  # while the agent starts there is time for it
            # While it waits for another run's lock the agent says nothing.
            silence = self._job.silence + self._job.lock_timeout
            password = self._become_password()
            self._converse(Session(channel, started, password, deadline, silence, self._stopping.is_set, sending=self._sending))
        finally:
            channel.close()

    def _sending(self, sent: int, size: int) -> None:
        self._tell("sending", {"sent": sent, "size": size})

    def _become_password(self) -> Optional[str]:
        own = self._host.become_password
        return self._job.fetch(own).reveal() if own is not None else self._job.become_password

    def _converse(self, session: Session) -> None:
        raw = session.hello(self._install)["facts"]
        self._heard = time.time()
        facts = desired.read_facts(raw)
        self.outcome.facts = raw
        if self._installing is not None:
            installed = {**PYTHON, "handler": False, "status": "changed", "summary": "install Python 3", "diff": "", "backup": None}
            self._hear({"type": "result", **installed, "seconds": time.monotonic() - self._installing, "error": None})
        self._tell("facts", raw)
        if self._job.mode == FACTS or self._stopping.is_set():
            session.quit()
            self.outcome.state = events.INTERRUPTED if self._stopping.is_set() else events.OK
            return
        variables = desired.variables_of(self._host, self._job)
        self._secrets = variables.secrets
        if self._job.undo:
            # A daemon that is started again with what it had may say a secret, and no role has asked for it.
            variables.fetch_all()
        refused = desired.refusals(self._job, facts, variables)
        if refused:
            session.quit()
            self._refuse(refused)
        wanted = desired.wanted(self._job, self._host.name, facts, variables)
        self._reached = True
        self._resources = sum(not wire["handler"] for wire in wanted.resources)
        results: Sequence[Mapping[str, Any]] = ()
        probed = False
        for message in session.run(self._message(wanted), wanted.contents):
            if message["type"] == "probes":
                results, probed = message["results"], True
            else:
                self._hear(message)
        outcomes = desired.outcomes_by_role(results, wanted.probes)
        self._answered(outcomes.get("", {}))
        if results or (probed and self._job.mode == VERIFY and self._job.roles):
            judged = desired.judge(self._job, self._host.name, facts, variables, outcomes)
            self.outcome.checks = [(role, self._without_secrets(one)) for role, one in judged]
            self._tell("checks", {"checks": self.outcome.as_json()["checks"]})
        self._conclude(session)
        if self._job.keep and self.outcome.plan is not None:
            self.outcome.kept = keeping.kept(self._job, self._host, raw, wanted, self.outcome.plan)

    def _answered(self, answers: Dict[str, Outcome]) -> None:
        self.outcome.answers = answers
        if answers:  # not what they say: a command of the user's own may print secrets
            self._tell("answers", {"statuses": {name: answer.status for name, answer in answers.items()}})

    def _message(self, wanted: Desired) -> Dict[str, Any]:
        more: Dict[str, Any] = {"python": True} if self._installing is not None else {}
        if self._job.mode == VERIFY:
            more["clock"] = [self._heard, time.time()]
        return {**desired.message(self._job, wanted), **more}

    def _install(self, missing: PythonMissing) -> str:
        system = f"{missing.os_id} {missing.os_version}"
        if self._job.undo:
            self._refuse_python("there is no Python >= 3.6 on this host", "without one Skiff did nothing here that could be undone")
        self._refuse(desired.release_refusals(self._job, self._host, missing))
        if self._job.saved is not None:
            self._refuse_python("there is no Python >= 3.6 on this host any more", "make a new plan and apply that")
        line = bootstrap.python_install(missing.os_id, missing.os_version, missing.os_like)
        if line is None:
            self._refuse_python(f"there is no Python >= 3.6 on this {system} host", "install python3 there")
        if self._job.mode == CHECK:
            raise PythonWouldBeInstalled("Python 3 would be installed; the rest is unknown until then")
        if self._job.mode != APPLY:
            self._refuse_python("there is no Python >= 3.6 on this host", "`./inv provision` installs it")
        self._reached = True
        self._installing = time.monotonic()
        self._tell("begin", PYTHON)
        return line

    def _refuse(self, refusals: Sequence[Tuple[str, str]]) -> None:
        if refusals:
            self.outcome.faults += [Fault(text, where=role) for role, text in refusals]
            raise Refused("roles refuse the host")

    def _refuse_python(self, brief: str, cure: str) -> NoReturn:
        raise HostError(brief, "", cure)

    def _hear(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        data: Dict[str, Any] = {key: value for key, value in message.items() if key != "type"}
        if kind == "plan":
            self.outcome.plan = Plan.from_wire(message)
        elif kind == "result":
            self.outcome.counts[message["status"]] += 1
            if message["status"] != "ok":
                self.outcome.results.append(data)
            if message["status"] == "failed":
                error = message["error"]
                self.outcome.faults.append(Fault(error["brief"], error["details"], error["resolution"], message["id"]))
        elif kind == "copies":
            self.outcome.copies = message["copies"]
            return
        elif kind == "moved":
            self.outcome.faults += keeping.moved(self._job, self._host.name, message["resources"])
            self.outcome.counts["skipped"] = len(message["resources"])
            self.outcome.state = events.FAILED
        elif kind == "reboot":
            self.outcome.boot = "" if message["error"] else message["boot"]
            self.outcome.faults += [Fault(**message["error"], where="reboot")] if message["error"] else []
        elif kind == "done":
            self._done(message)
            return
        self._tell(kind, data)

    def _done(self, message: Mapping[str, Any]) -> None:
        self.outcome.reboot = tuple(message["reboot"])
        self.outcome.left = tuple(message.get("left", ()))
        if message["interrupted"]:
            self.outcome.state = events.INTERRUPTED
        elif self._job.mode in (CHECK, VERIFY):
            self.outcome.counts["changed"] = message["changed"]
            self.outcome.counts["failed"] = message["failed"]
            self.outcome.counts["ok"] = max(0, self._resources - message["changed"] - message["failed"])

    def _conclude(self, session: Session) -> None:
        outcome = self.outcome
        if outcome.plan is not None and self._job.mode != APPLY:
            outcome.faults += [Fault(f.brief, f.details, f.resolution, f.id) for f in outcome.plan.errors]
        if outcome.state != events.OK:
            return
        refused = any(fault.where == "reboot" for fault in outcome.faults)
        failed = refused or outcome.counts["failed"] or outcome.failed_checks or any(one.status for one in outcome.answers.values())
        drifted = outcome.counts["changed"] if self._job.mode == VERIFY else 0
        if drifted:
            failed = True
            said = "1 resource is" if drifted == 1 else f"{drifted} resources are"
            outcome.faults.append(Fault(f"{said} not as declared", resolution="`./inv provision` brings back what is declared"))
        if failed:
            outcome.state = events.FAILED
            if session.errors:
                outcome.faults.append(Fault("what the host said besides", session.errors))
        elif outcome.counts["changed"]:
            outcome.state = events.CHANGED
