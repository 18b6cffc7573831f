"""Drives a rollout: the next step from where it stands, written down, then done; until its end, or until somebody stops it."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from fleet.progress.quantity import quantity
from fleet.rollout import gate, position
from fleet.rollout.crew import Crew
from fleet.rollout.gate import Stopped
from fleet.rollout.journal import Journal
from fleet.rollout.position import Line, Step, counted

Put = Callable[[str], None]


class Rollout:
    """One rollout in one process."""

    def __init__(self, journal: Journal, crew: Crew, put: Put) -> None:
        self._journal = journal
        self._crew = crew
        self._put = put
        self.position = position.replay(journal.lines)

    def write(self, kind: str, **fields: Any) -> None:
        """Writes a line, then takes it as read."""
        self.position.take(self._journal.write(kind, **fields))

    def run(self) -> bool:
        """Goes on to the end; False if somebody stopped it before."""
        try:
            while not self.position.state:
                self._take(self.position.next())
        except (Stopped, KeyboardInterrupt) as stop:
            self._put(f"stopped: {str(stop) or 'interrupted'}; `--resume {self._journal.name}` goes on")
            return False
        return True

    def _take(self, step: Step) -> None:
        if step.kind == position.LOOK:
            self.write("looked", hosts=self._crew.look(step.hosts))
            self._tell_looked()
        elif step.kind == position.BATCH:
            self._change(step.hosts)
        elif step.kind == position.GATE:
            self._ask(step.hosts)
        elif step.kind == position.BACK:
            self._restore(step.hosts)
        else:
            self.write("end", state=step.state, why=step.why)

    def _change(self, hosts: List[str]) -> None:
        self.write("batch", hosts=hosts)
        done = sum(len(batch.hosts) for batch in self.position.batches)
        number, total = len(self.position.batches), len(self.position.to_do)
        self._put(f"batch {number}, {len(hosts)} of {total} hosts, {total - done} after it: {counted(hosts)}")
        self.write("changed", hosts=self._crew.change(self.position, hosts))

    def _ask(self, hosts: List[str]) -> None:
        self.write("gate", hosts=hosts)
        failed: Dict[str, Line] = {}
        why = ""
        for name in self.position.terms.gates if hosts else ():
            if name == gate.VERIFY:
                failed = self._crew.verify(self.position, hosts)
                hosts = [host for host in hosts if host not in failed]
                why = self._judged(failed)
            elif name == gate.PAUSE:
                why = (self._left() and gate.pause(hosts)) or ""
            else:
                why = gate.command(name, hosts, self._environment(), self.position.begun["directory"]) or ""
            self._put(why or f"gate {name}: passed")
            if why:
                break
        self.write("verdict", passed=not why, hosts=failed, why=why)

    def _judged(self, failed: Mapping[str, Line]) -> str:
        """Why the hosts that failed are too many; nothing if they are not."""
        if not failed or not self.position.spent(len(failed)):
            return ""
        return f"{counted(list(failed))}: {next(iter(failed.values()))['why']}"

    def _left(self) -> int:
        """How many hosts come after this batch."""
        return len(self.position.to_do) - sum(len(batch.hosts) for batch in self.position.batches)

    def _environment(self) -> Dict[str, str]:
        begun = self.position.begun
        told = {"ROLLOUT": self._journal.name, "TASK": begun["verb"], "VERSION": begun["to"], "BATCH": len(self.position.batches)}
        return {f"SKIFF_{name}": str(value) for name, value in told.items()}

    def _restore(self, hosts: Sequence[str]) -> None:
        batch = self.position.batches[-1]
        self.write("back", why=batch.why, hosts=list(hosts))
        self._put(f"batch {len(self.position.batches)} is put back: {counted(list(hosts))}")
        self.write("restored", hosts=self._crew.restore(self.position, hosts))

    def _tell_looked(self) -> None:
        """One line for all, and one for each host that is left out; those that refuse it end it, and are told then."""
        looked = self.position.looked or {}
        states = [line["state"] for line in looked.values()]
        parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
        self._put(f"{quantity(len(looked), 'host')}: {', '.join(parts)}")
        for name, line in looked.items():
            if line["state"] not in (position.TO_DO, position.THERE, position.REFUSED):
                self._put(f"  {name}: {line['state']}: {line['why']}")
