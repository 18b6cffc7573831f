"""Where a rollout stands, told by its journal's lines alone; and the one step that comes next from there.

A rollout that goes on takes each line as it writes it, and one that is resumed takes them all at first: there is no other state.

    begin      what was asked for, and the hosts
    looked     hosts: what each runs, where it is to go, or why it is left out
    batch      hosts: their change is begun
    changed    hosts: what became of each
    gate       what is asked of the batch is begun
    verdict    passed; hosts that failed it; why
    back       the batch's hosts are begun to be put back
    restored   hosts: what became of each
    resumed    another process goes on
    end        state, why

Changing, asking and putting back can all be done again: a step that was begun and whose result is missing is begun again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

from fleet.rollout import batches
from fleet.share import Share

Line = Mapping[str, Any]

# What a host is found to be before the first batch, and what becomes of it.
TO_DO, THERE, LEFT, REFUSED = "to do", "there", "left", "refused"
CHANGED, FAILED, UNREACHABLE, RESTORED = "changed", "failed", "unreachable", "restored"
BAD = (FAILED, UNREACHABLE)

LOOK, BATCH, GATE, BACK, END = "look", "batch", "gate", "back", "end"
DONE, STOPPED = "done", "stopped"
ROLLBACK, STOP = "rollback", "stop"


@dataclass(frozen=True)
class Terms:
    """How a rollout goes: sizes of batches, gates in order, the failure budget, and what a failed batch calls for."""

    batches: str
    gates: List[str]
    max_failures: str
    on_failure: str


@dataclass(frozen=True)
class Step:
    """What is next. `hosts` are those concerned; an end has its `state` and `why`."""

    kind: str
    hosts: List[str] = field(default_factory=list)
    state: str = ""
    why: str = ""


@dataclass
class Batch:
    """One batch, as far as it has come. `failed` are the hosts that failed its gate; `passed` is None until it was asked."""

    hosts: List[str]
    changed: Optional[Dict[str, Line]] = None
    passed: Optional[bool] = None
    failed: Dict[str, Line] = field(default_factory=dict)
    why: str = ""
    going_back: bool = False
    restored: Optional[Dict[str, Line]] = None

    @property
    def bad(self) -> List[str]:
        """The hosts of it that failed, by the change or by the gate."""
        return [name for name in self.hosts if self.state(name)["state"] in BAD]

    @property
    def good(self) -> List[str]:
        """The hosts of it that were changed well."""
        return [name for name, told in (self.changed or {}).items() if told["state"] == CHANGED]

    def state(self, name: str) -> Line:
        """What is known of a host of it."""
        return self.failed.get(name) or (self.changed or {}).get(name) or {"state": TO_DO, "why": ""}


class Position:
    """A rollout's place."""

    def __init__(self) -> None:
        self.begun: Line = {}
        self.looked: Optional[Dict[str, Line]] = None
        self.batches: List[Batch] = []
        self.state = ""
        self.why = ""

    def take(self, line: Line) -> None:
        """One line more."""
        kind, last = line["kind"], self.batches[-1] if self.batches else None
        if kind == "begin":
            self.begun = line
        elif kind == "looked":
            self.looked = line["hosts"]
        elif kind == "batch":
            if last is None or last.changed is not None:
                self.batches.append(Batch(line["hosts"]))
        elif kind == "resumed":
            self._resume(last)
        elif kind == "end":
            self.state, self.why = line["state"], line["why"]
        elif last is not None:
            self._take_of_batch(last, line)

    def _take_of_batch(self, last: Batch, line: Line) -> None:
        if line["kind"] == "changed":
            last.changed = line["hosts"]
        elif line["kind"] == "verdict":
            last.passed, last.failed, last.why = line["passed"], line["hosts"], line["why"]
        elif line["kind"] == "back":
            last.going_back = True
        elif line["kind"] == "restored":
            last.restored = line["hosts"]

    def _resume(self, last: Optional[Batch]) -> None:
        # A batch that did not pass is begun again, as a whole: what of it is there is left alone.
        self.state = self.why = ""
        if last is not None and not last.passed and not last.going_back:
            last.changed, last.passed, last.failed, last.why = None, None, {}, ""

    @property
    def terms(self) -> Terms:
        """How it goes."""
        return Terms(**self.begun["terms"])

    @property
    def over(self) -> bool:
        """Whether nothing is left to resume."""
        return self.state not in ("", STOPPED)

    @property
    def to_do(self) -> List[str]:
        """The hosts that it changes, in their order."""
        return [name for name, told in (self.looked or {}).items() if told["state"] == TO_DO]

    @property
    def failures(self) -> List[str]:
        """The hosts that have failed so far, those that were not met among them."""
        out = [name for name, told in (self.looked or {}).items() if told["state"] in BAD]
        return out + [name for batch in self.batches for name in batch.bad]

    def spent(self, more: int = 0) -> bool:
        """Whether more hosts have failed than may, or would with so many more."""
        most = Share.parse("--max-failures", self.terms.max_failures, 0).at_most(len(self.begun["hosts"]))
        return len(self.failures) + more > most

    def next(self) -> Step:
        """The step that comes next."""
        if self.looked is None:
            return Step(LOOK, list(self.begun["hosts"]))
        refused = [name for name, told in self.looked.items() if told["state"] == REFUSED]
        if refused:
            return Step(END, state=FAILED, why=f"{counted(refused)} may not get it; nothing was changed")
        if self.batches and not self.batches[-1].passed:
            return self._within(self.batches[-1])
        if self.spent():
            return Step(END, state=FAILED, why=f"too many hosts failed: {counted(self.failures)}")
        met = [name for batch in self.batches for name in batch.hosts]
        rest = self.to_do[len(met) :]
        if not rest:
            return Step(END, state=DONE)
        size = batches.size(batches.sizes(self.terms.batches), len(self.batches) + 1, len(self.to_do))
        return Step(BATCH, rest[:size])

    def _within(self, batch: Batch) -> Step:
        if batch.changed is None:
            return Step(BATCH, batch.hosts)
        if batch.restored is not None:
            return Step(END, state=FAILED, why=self._reason(batch))
        if batch.passed is None and not self.spent():
            return Step(GATE, batch.good)
        if self.terms.on_failure == STOP and not batch.going_back:
            return Step(END, state=STOPPED, why=self._reason(batch))
        # One that could not be met was not changed, and cannot be met now.
        return Step(BACK, [name for name in batch.hosts if batch.changed[name]["state"] != UNREACHABLE])

    def _reason(self, batch: Batch) -> str:
        return batch.why or f"too many hosts failed: {counted(self.failures)}"

    def of(self, name: str) -> Line:
        """A host's state and why, as it stands."""
        told = (self.looked or {}).get(name, {"state": TO_DO, "why": ""})
        for batch in self.batches:
            if name in batch.hosts:
                told = batch.state(name)
                if batch.restored is not None and name in batch.restored:
                    told = self._restored(batch, name)
        return told

    def _restored(self, batch: Batch, name: str) -> Line:
        told = (batch.restored or {})[name]
        reason = batch.state(name)["why"] or self._reason(batch)
        if told["state"] == CHANGED:
            return {"state": RESTORED, "why": reason}
        return {"state": told["state"], "why": f"could not be put back ({told['why']}): {reason}"}


def counted(names: List[str], most: int = 8) -> str:
    """Hosts by name, the first few of many."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def replay(lines: Sequence[Line]) -> Position:
    """Where a journal's lines lead."""
    position = Position()
    for line in lines:
        position.take(line)
    return position
