"""Hosts started anew once all are as declared: those that need it, a batch at a time, each waited for and verified.

Whether a host needs it is told by the host itself, in this run or any later one: nothing is kept in mind here, and a run that was
cut anywhere is finished by the next.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from fleet import events
from fleet.errors import FleetError, HostError, UnreachableError
from fleet.events import Event, Fault, HostOutcome
from fleet.inventory.model import Host
from fleet.run.host import Connect, Emit, HostRun
from fleet.run.job import APPLY, VERIFY, Job
from fleet.run.selection import Selection
from fleet.share import Share
from fleet.transport import END, OUT, Transport
from fleet.transport.stop import Stop

# As any login shell reads it. A unit that is slow to start holds the second word at "starting".
LOOK = "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running"
STARTING = ("initializing", "starting")
LONGEST = 4096
ANSWER = 30.0
# Seconds between two looks, at random: hosts of a batch do not knock at one jump host all at once.
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 5.0


@dataclass(frozen=True)
class Reboots:
    """How hosts are rebooted. `batch` is a number of hosts or a share of those that need it (`10%`); `timeout` is in seconds."""

    batch: str
    timeout: float
    force: bool
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def batches(self, hosts: Sequence[Host], outcomes: Mapping[str, HostOutcome]) -> Iterator[List[Host]]:
        """The hosts that need it and are well, batch by batch; after one that did not come back well, no other is touched."""
        waiting = [host for host in hosts if needs(outcomes[host.name])]
        size = self.size(len(waiting))
        for start in range(0, len(waiting), size):
            batch = waiting[start : start + size]
            yield batch
            lost = [host.name for host in batch if outcomes[host.name].boot and not well(outcomes[host.name])]
            if lost:
                for host in waiting[start + size :]:
                    hold(outcomes[host.name], lost)
                return

    def size(self, hosts: int) -> int:
        """How many hosts a batch has.

        Raises:
            UsageError: `batch` is neither a number nor a share.
        """
        return max(1, Share.parse("--reboot-batch", self.batch, 1).at_most(hosts))


def needs(outcome: HostOutcome) -> bool:
    """Whether a host is to be rebooted."""
    return bool(outcome.reboot) and well(outcome)


def well(outcome: HostOutcome) -> bool:
    """Whether a host is as declared."""
    return outcome.state in (events.OK, events.CHANGED)


def hold(outcome: HostOutcome, lost: Sequence[str]) -> None:
    """A host that is left running, for others did not come back."""
    outcome.state = events.FAILED
    brief = f"was not rebooted: {', '.join(lost)} did not come back well"
    outcome.faults.append(Fault(brief, resolution="see to that, and run again"))


class RebootRun:
    """One host's reboot: asked for once more whether it needs it, ordered, waited for, verified. `before` is how it stood."""

    def __init__(
        self, host: Host, job: Job, connect: Connect, emit: Emit, stopping: Stop, before: HostOutcome, reboots: Reboots
    ) -> None:
        self._host, self._job, self._connect, self._stopping = host, job, connect, stopping
        self._emit = emit
        self._before = before
        self._reboots = reboots

    def __call__(self) -> HostOutcome:
        """Does it all; errors end up in the outcome, which tells the host's whole run."""
        begun = self._reboots.clock()
        outcome = self._part(replace(self._job, mode=APPLY, reboot={"force": self._reboots.force}))
        changes, boot = [self._before, outcome], outcome.boot
        if boot:
            # Ordered, it comes: whatever befell the connection since, what the host is after it counts.
            reasons = outcome.reboot or self._before.reboot
            end = self._reboots.clock() + self._reboots.timeout
            try:
                self._wait(boot, end)
                outcome = self._verified(end)
                outcome.rebooted = reasons
                if outcome.reboot:
                    outcome.state = events.FAILED
                    outcome.faults.append(Fault("it was rebooted, and says that it needs to be once more", where="reboot"))
            except FleetError as error:
                stopped = self._stopping.is_set()
                outcome.state = events.INTERRUPTED if stopped else events.FAILED
                outcome.faults.append(Fault.of(error, "reboot"))
        whole_run(outcome, changes)
        outcome.boot = boot
        outcome.seconds = self._before.seconds + self._reboots.clock() - begun
        self._tell("finished", outcome.as_json())
        return outcome

    def _part(self, job: Job) -> HostOutcome:
        """An exchange of its own."""
        return HostRun(self._host, job, self._connect, self._quietly, self._stopping)()

    def _quietly(self, event: Event) -> None:
        if event.kind != "finished":  # that is told once, of the whole
            self._emit(event)

    def _tell(self, kind: str, data: Mapping[str, object]) -> None:
        self._emit(Event(self._host.name, kind, data))

    def _verified(self, end: float) -> HostOutcome:
        """The verification; a host that has only just come back may be too busy for a login, and has until `end` for it."""
        while True:
            outcome = self._part(replace(self._job, mode=VERIFY, reboot=None, selection=Selection(boot=True)))
            if outcome.state != events.UNREACHABLE or self._stopping.is_set() or self._reboots.clock() >= end:
                return outcome
            self._pause()

    def _pause(self) -> None:
        self._reboots.pause(random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE))  # noqa: S311 # no secret

    def _wait(self, boot: str, end: float) -> None:
        """Until the host has another boot and has started everything, or `end` has come.

        Raises:
            HostError: it is not back in time, told with the last that was seen of it.
        """
        begun = self._reboots.clock()
        last, back = "the host still ran", False
        while self._reboots.clock() < end:
            if self._stopping.is_set():
                raise HostError("interrupted while it reboots", last, "run again: the next run looks at it and verifies")
            self._pause()
            try:
                now, state = self._look()
            except UnreachableError as error:
                last = "\n".join(part for part in (error.brief, error.details) if part)
                continue
            last = f"its boot is {now or 'unknown'}, it was {boot}; systemd is {state or 'silent'}"
            back = back or (bool(now) and now != boot)
            if back and state not in STARTING:
                break
        if not back:
            seconds = f"{self._reboots.timeout:g} s"
            cure = "look at its console; give it more time with --reboot-timeout; then run again"
            raise HostError(f"it is not back within {seconds}", last, cure)
        self._tell("booted", {"seconds": round(self._reboots.clock() - begun, 1)})

    def _look(self) -> Tuple[str, str]:
        """The host's boot and systemd's state, over a connection of its own, whose host key is checked as any other's."""
        transport = self._connect(self._host, self._stopping)
        try:
            lines = said(transport).splitlines()
        finally:
            transport.close()
        return (lines[-2].strip(), lines[-1].strip()) if len(lines) > 1 else ("", "")


def said(transport: Transport) -> str:
    """What the look's command prints; nothing more than the last of it, whatever a login shell says before."""
    channel = transport.open(LOOK)
    data, end = b"", time.monotonic() + ANSWER
    try:
        while time.monotonic() < end:
            received = channel.receive(0.5)
            if received is not None and received.stream == END:
                break
            if received is not None and received.stream == OUT:
                data = (data + received.data)[-LONGEST:]
    finally:
        channel.close()
    return data.decode("utf-8", "replace")


def whole_run(outcome: HostOutcome, parts: Sequence[HostOutcome]) -> None:
    """Adds to the last part's outcome what the parts before it did."""
    counts: Dict[str, int] = {name: sum(part.counts[name] for part in parts) for name in ("changed", "failed", "skipped")}
    outcome.counts = {**outcome.counts, **counts, "ok": parts[0].counts["ok"]}
    outcome.results = [result for part in parts for result in part.results]
    outcome.plan = parts[0].plan
    outcome.answers = outcome.answers or parts[0].answers
    if outcome.state == events.OK:
        outcome.state = events.CHANGED
