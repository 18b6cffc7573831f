"""One run on the host: plan, apply in order, probe, record. Speaks through the channel and stops where it is told to."""

import os
import time

from fleet.agent import atomic, plan, probes, scratch
from fleet.agent.change import Change
from fleet.agent.contents import Contents
from fleet.agent.errors import AgentError, ControlGone, Left, from_os
from fleet.agent.frames import JSON, Channel, decode
from fleet.agent.host import Host
from fleet.agent.journal import Journal
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

PLACES = "/etc/modules-load.d", "/etc/selinux", "/etc/sysctl.d", "/etc/yum.repos.d"  # where kinds without a path write
ASKED = 0.5  # seconds between looks at a termination signal while contents are awaited
SILENCE = 120.0  # seconds without a byte of them, after which nobody is there: the lock is not held for a dead peer
WORD = 10.0  # seconds of it between words of ours: of a machine that has started again, the kernel answers that nobody listens


class Run:
    """A desired state in hand. `stop` is set by a message or by SIGTERM."""

    def __init__(self, channel: Channel, state: State, facts: "Dict[str, Any]", desired: "Dict[str, Any]") -> None:
        self._channel = channel
        self._state = state
        self._mode = desired["mode"]
        self._diffs = bool(desired["diff"])
        self._probes = desired["probes"]
        self._brought_python = bool(desired.get("python"))
        self._expected: "Optional[Dict[str, str]]" = desired.get("expect")
        undo = desired.get("undo") or {}
        self._reboot: "Optional[Dict[str, Any]]" = desired.get("reboot")
        self._deprovision = undo.get("what") == "deprovision"
        self.resources = plan.in_order(_backwards(state, undo) if undo else desired["resources"])
        self._contents = Contents(state, self._need, self._content_frame)
        self._journal = Journal(state, self.resources)
        looking = self._mode != "apply"
        self._host = Host(state, self._contents, self._journal, desired["run"], self.resources, facts, looking, undo)
        self._host.clock = desired.get("clock") or []
        if undo.get("what") == "restore" and not self.resources:
            sought = undo["path"] or "run {}".format(undo["run"] or undo["since"])
            self._host.leaves(sought, Left("this host keeps no copy that this means", over=True))
        self._record: "Dict[str, Any]" = {"run": desired["run"], "who": desired["who"], "begun": time.time(), "results": []}
        self._counts = {"changed": 0, "failed": 0, "skipped": 0}
        self.stop = False

    def execute(self) -> "Dict[str, Any]":
        """Everything between the lock's two ends; the `done` message, not yet sent."""
        try:
            return self._execute()
        finally:
            self._host.drop_questions()
            if self._mode != "check":
                self._contents.clear()

    def remember(self) -> None:
        """Keep in mind what the next run need not ask again."""
        self._host.memory.keep()

    def _execute(self) -> "Dict[str, Any]":
        if self._mode != "check":
            self._contents.clear()  # before a verification asks whether the host keeps things
        if self._mode == "apply":
            self._clean()
        if self._brought_python:
            self._host.ledger.enter("python", "python3", None)
        made = plan.make(self.resources, self._host, self._mode == "check" or self._expected is not None)
        if self._expected is not None and self._moved(made):
            return self._done()
        if self._diffs:
            plan.draw(made, self._host)
        self._send_plan(made)
        if self._mode != "apply":
            self._counts.update(changed=len(made.changes), failed=len(made.errors))
        elif made.changes or made.errors:
            self._apply(made)
        else:
            for resource in self.resources:
                self._result(resource, "ok")
        if self._mode == "apply":
            self._write_record()  # before the probes: whatever becomes of them, this was done
        if self._mode == "verify" or (self._mode == "apply" and not self._counts["failed"]):
            self._probe(bool(made.changes))
        if self._reboot is not None and self._host.reboot and not self._counts["failed"] and not self._interrupted():
            from fleet.agent import restart  # few runs come to this

            self._channel.send(restart.order(self._reboot, self._host.reboot))
        return self._done()

    def _done(self) -> "Dict[str, Any]":
        return dict(self._counts, type="done", reboot=self._host.reboot, left=self._host.left, interrupted=self._interrupted())

    def _moved(self, made: plan.Plan) -> bool:
        """Whether the host is not as it was when its plan was made; nothing is touched then."""
        from fleet.agent import fingerprint  # few runs carry out a saved plan

        found = fingerprint.moved(made, self.resources, self._expected or {})
        if found:
            self._counts["skipped"] = len(found)
            self._channel.send({"type": "moved", "resources": found})
        return bool(found)

    def _clean(self) -> None:
        scratch.sweep()
        paths = [one["path"] for one in self.resources if "path" in one]
        paths += [one["name"] for one in self.resources if one.get("place") in ("archive", "directory", "file")]
        paths += [os.path.realpath(path) for path in paths]
        homes = {os.path.dirname(self._state.home), *self._state.folders()}
        for folder in sorted({os.path.dirname(path) for path in paths}.union(PLACES, homes)):
            atomic.sweep(folder)

    def _send_plan(self, made: plan.Plan) -> None:
        by_id = {one["id"]: one for one in self.resources}
        changes = [
            {"id": key, "role": by_id[key]["role"], "handler": by_id[key]["handler"], "action": one.action, "summary": one.summary,
             "diff": one.diff if self._diffs else "", "fingerprint": one.fingerprint}
            for key, one in made.changes.items()
        ]  # fmt: skip
        errors = [{"id": key, "role": by_id[key]["role"], "error": one.to_wire()} for key, one in made.errors.items()]
        changing = bool(changes or errors)
        self._channel.send({"type": "plan", "changes": changes, "errors": errors}, flush=changing)

    def _apply(self, made: plan.Plan) -> None:
        if not made.errors:
            self._host.begin_applying()
            self._prune()
            self._fetch(made)
        failed = bool(made.errors)
        for resource in self.resources:
            known = made.errors.get(resource["id"])
            planned = made.changes.get(resource["id"])
            if known is not None:
                self._result(resource, "failed", error=known)
            elif failed or self._interrupted():
                self._result(resource, "skipped", planned)
            else:
                failed = not self._apply_one(resource, planned)

    def _prune(self) -> None:
        if not self._deprovision and os.path.exists(self._state.path("ledger.jsonl")):
            from fleet.agent.prune import prune

            prune(self._state, self._host.ledger)

    def _fetch(self, made: plan.Plan) -> None:
        """All that the changes take, before the first of them."""
        try:
            self._contents.fetch([content for change in made.changes.values() for content in change.contents])
        except ControlGone:
            self.stop = True

    def _apply_one(self, resource: "Dict[str, Any]", planned: "Optional[Change]") -> bool:
        begun = time.monotonic()
        change = planned
        try:
            change = plan.check(resource, self._host)
            if change is not None:
                self._insist(resource, planned)
                self._change(resource, change)
            self._journal.settle(resource["id"])
        except ControlGone:
            self.stop = True
            self._result(resource, "skipped", change)
            return True
        except (AgentError, OSError) as error:
            known = error if isinstance(error, AgentError) else from_os(error, str(resource.get("path", resource["id"])))
            self._result(resource, "failed", change, begun, known)
            return False
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._result(resource, "failed", change, begun, plan.internal(error))
            return False
        self._result(resource, "ok" if change is None else "changed", change, begun)
        return True

    def _insist(self, resource: "Dict[str, Any]", planned: "Optional[Change]") -> None:
        if self._expected is not None and planned is None:
            raise AgentError(
                "{} changed since, and its change is not in the plan".format(resource["id"]), "", "make a new plan and apply that"
            )

    def _change(self, resource: "Dict[str, Any]", change: Change) -> None:
        if self._diffs:
            self._contents.fetch(change.shown)
            change.finish(self._contents.read)
        self._channel.send({"type": "begin", "id": resource["id"], "role": resource["role"]})
        self._host.ledger.in_hand = resource
        self._journal.announce([resource["id"], *change.also])
        plan.kind(resource).apply(resource, change, self._host)
        self._host.changed.update([resource["id"], *change.also])
        self._host.refresh(resource["kind"])

    def _result(
        self,
        resource: "Dict[str, Any]",
        status: str,
        change: "Optional[Change]" = None,
        begun: "Optional[float]" = None,
        error: "Optional[AgentError]" = None,
    ) -> None:
        message = {
            "type": "result",
            "id": resource["id"],
            "role": resource["role"],
            "handler": resource["handler"],
            "status": status,
            "summary": change.summary if change is not None else "",
            "seconds": round(time.monotonic() - begun, 3) if begun is not None else 0,
            "backup": change.backup if change is not None else None,
            "error": error.to_wire() if error is not None else None,
        }
        if status in self._counts:
            self._counts[status] += 1
        self._record["results"].append(dict(message))
        message["diff"] = change.diff if change is not None and self._diffs else ""
        self._channel.send(message, flush=status in ("changed", "failed"))

    def _probe(self, changed: bool) -> None:
        if self._interrupted():
            return
        wanted = [one for one in self._probes if one["when"] == "always" or changed or self._mode == "verify"]
        try:
            results = probes.run(wanted, self._contents, self._host, self._channel.redact)
        except ControlGone:
            self.stop = True
            return
        except OSError as error:
            raise from_os(error, scratch.parent()) from error
        self._channel.send({"type": "probes", "results": results}, flush=False)

    def _write_record(self) -> None:
        if self._deprovision and not os.path.isdir(self._state.home):
            return  # nothing of Skiff's is here any more
        self._record.update(self._counts, ended=time.time(), reboot=self._host.reboot, interrupted=self._interrupted())
        self._state.write_json("last-run.json", self._channel.redact(self._record))

    def _need(self, digests: "List[str]") -> None:
        self._channel.send({"type": "need", "sha256": digests})

    def _content_frame(self) -> "Tuple[bytes, bytes]":
        begun = said = time.monotonic()
        while True:
            frame = self._channel.receive(ASKED)
            now = time.monotonic()
            if self.stop or (frame is None and now > begun + SILENCE):
                raise ControlGone()
            if frame is None:
                if now > said + WORD:
                    said = now
                    self._need([])
                continue
            if frame[0] == JSON and decode(frame[1])["type"] == "stop":
                self.stop = True
                raise ControlGone()
            return frame

    def _interrupted(self) -> bool:
        """Whether to go no further: told to stop, or nobody there any more."""
        while not (self.stop or self._channel.gone):
            try:
                frame = self._channel.receive(0)
            except ControlGone:
                break
            if frame is None:
                return False
            self.stop = frame[0] == JSON and decode(frame[1])["type"] == "stop"
        return True


def _backwards(state: State, undo: "Dict[str, Any]") -> "List[Dict[str, Any]]":
    from fleet.agent import undoing

    return undoing.resources(state, undo)
