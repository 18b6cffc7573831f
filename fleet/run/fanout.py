"""Runs a job on many hosts by any executor, hands events to listeners in the main thread, and ends orderly on Ctrl-C.

The first Ctrl-C lets each host finish the resource in hand; the second ends at once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from types import FrameType
from typing import Callable, Deque, Dict, List, Optional, Protocol, Sequence, Set, Tuple, Union

from fleet import events
from fleet.events import Event, Fault, HostOutcome, Listener
from fleet.inventory.model import Host
from fleet.run import places
from fleet.run.host import Connect, HostRun
from fleet.run.job import Job
from fleet.run.places import Limits, Places
from fleet.run.reboots import RebootRun, Reboots
from fleet.transport.stop import Stop

LOOK = 0.5
LOST = "the worker that had this host in hand was lost, or the scheduler"
AGAIN = "it may have done a part of it; run again: the next run continues from there"
SHOW_CURSOR = b"\x1b[?25h"


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C."""


@dataclass(frozen=True)
class Lost:
    """Nothing more can come from where the hosts' runs go on."""

    reason: str


Submit = Callable[[Host, Executor], "Future[HostOutcome]"]
Item = Union[Event, Tuple[str, "Future[HostOutcome]"], Interrupt, Lost]


class Elsewhere(Protocol):
    """Where hosts' runs go on, if that is not this process."""

    def begin(self, put: Callable[[Event], None], lost: Callable[[str], None]) -> None:
        """From now on, events that come are `put`; `lost` is called if nothing more can come, with the reason."""

    def submit(self, executor: Executor, host: Host) -> Future[HostOutcome]:
        """Begins a host's run."""

    def stop(self) -> None:
        """Passes it on that each host finishes the resource in hand."""

    def end(self) -> None:
        """Returns once every event has been put."""


class Fanout:
    """One run. `connect` makes the transport of a host, where hosts' runs go on in this process.

    `meanwhile` is done while the first hosts are being connected to.
    """

    def __init__(
        self,
        job: Job,
        connect: Connect,
        listeners: Sequence[Listener],
        limits: Optional[Limits] = None,
        elsewhere: Optional[Elsewhere] = None,
        meanwhile: Optional[Callable[[], None]] = None,
        reboots: Optional[Reboots] = None,
    ) -> None:
        self._job = job
        self._connect = connect
        self._listeners = listeners
        self._places = Places(limits or places.limits(None))
        self._elsewhere = elsewhere
        self._meanwhile = meanwhile
        self._reboots = reboots
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._futures: Dict[str, Future[HostOutcome]] = {}
        self._outcomes: Dict[str, HostOutcome] = {}
        self._left: Set[str] = set()
        self._lost = ""
        self.stopping = Stop()

    def run(self, hosts: Sequence[Host], executor: Executor) -> List[HostOutcome]:
        """The outcomes, in the order of the hosts."""
        before = self._catch_interrupts()
        try:
            for listener in self._listeners:
                listener.begin(self._job.run, [host.name for host in hosts])
            if self._elsewhere:
                self._elsewhere.begin(self._items.put, lambda reason: self._items.put(Lost(reason)))
            self._collect(hosts, executor, self._first)
            if self._reboots and not self.stopping.is_set():
                for batch in self._reboots.batches(hosts, self._outcomes):
                    self._collect(batch, executor, self._reboot)
                    if self.stopping.is_set():
                        break
            outcomes = [self._outcomes[host.name] for host in hosts]
            for listener in self._listeners:
                listener.end(outcomes, self.stopping.is_set())
        except BaseException:
            # A listener's fault: nobody would see what the hosts that are still at work do.
            self.stopping.set()
            self._stop()
            raise
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        return outcomes

    def _collect(self, hosts: Sequence[Host], executor: Executor, submit: Submit) -> None:
        """Until each of the hosts has come to an end of what is submitted for it."""
        waiting = deque(hosts)
        self._left = {host.name for host in hosts}
        self._fill(waiting, executor, submit)
        if self._meanwhile:
            self._meanwhile()
        while self._left:
            self._fill(waiting, executor, submit)
            try:
                # Silence is no event: where it could let another host begin, the clock is looked at.
                self._take(self._items.get(timeout=LOOK if waiting else None), waiting)
            except queue.Empty:
                continue
        if self._elsewhere:
            self._elsewhere.end()
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(self._items.get_nowait(), waiting)

    def _fill(self, waiting: Deque[Host], executor: Executor, submit: Submit) -> None:
        while waiting and self._places.free():
            self._submit(waiting.popleft(), executor, submit)

    def _first(self, host: Host, executor: Executor) -> Future[HostOutcome]:
        if self._elsewhere:
            return self._elsewhere.submit(executor, host)
        return executor.submit(HostRun(host, self._job, self._connect, self._items.put, self.stopping))

    def _reboot(self, host: Host, executor: Executor) -> Future[HostOutcome]:
        assert self._reboots is not None
        before = self._outcomes[host.name]
        return executor.submit(RebootRun(host, self._job, self._connect, self._items.put, self.stopping, before, self._reboots))

    def _submit(self, host: Host, executor: Executor, submit: Submit) -> None:
        self._places.take(host.name)
        future = submit(host, executor)
        self._futures[host.name] = future
        future.add_done_callback(lambda done: self._items.put((host.name, done)))

    def _take(self, item: Item, waiting: Deque[Host]) -> None:
        if isinstance(item, Event):
            self._places.hear(item.host)
            for listener in self._listeners:
                listener.hear(item)
        elif isinstance(item, tuple):
            name, done = item
            self._places.leave(name)
            # Cancelled by nobody here, it was lost with the worker that had it.
            lost = self._lost or ("" if self.stopping.is_set() else LOST)
            self._outcomes[name] = ended(name, done, lost)
            self._left.discard(name)
        else:
            if isinstance(item, Lost):
                self._lost = item.reason
            for host in waiting:
                # One that waits for its reboot has been through all else.
                self._outcomes.setdefault(host.name, not_begun(host.name, self._lost))
                self._left.discard(host.name)
            waiting.clear()
            self._stop()

    def _stop(self) -> None:
        for future in self._futures.values():
            # Where runs go on elsewhere, one that has begun cannot be told from one that has not: those end by the word alone.
            if not self._elsewhere or self._lost:
                future.cancel()
        if self._elsewhere:
            self._elsewhere.stop()
        self.stopping.cut()

    def _catch_interrupts(self) -> Union[Callable[[int, Optional[FrameType]], object], int, None]:
        if threading.current_thread() is not threading.main_thread():
            return None
        return signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, _number: int, _frame: Optional[FrameType]) -> None:
        # Straight to the descriptor: the handler may stand in the middle of a write to the stream.
        if self.stopping.is_set():
            # The agents see their connection end, finish what they have in hand and record it.
            say((SHOW_CURSOR if os.isatty(2) else b"") + b"\nended at once; the next run continues from here\n")
            os._exit(130)
        self.stopping.set()
        say(b"\ninterrupted: each host finishes the resource in hand; again to end at once\n")
        self._items.put(Interrupt())


def say(text: bytes) -> None:
    """Words on standard error, if somebody still reads it."""
    with contextlib.suppress(OSError):
        os.write(2, text)


def ended(name: str, future: Future[HostOutcome], lost: str) -> HostOutcome:
    """A future's outcome; one that was cancelled before it began has done nothing."""
    if future.cancelled():
        return not_begun(name, lost)
    error = future.exception()
    if error is not None:
        return HostOutcome(name, state=events.FAILED, faults=[Fault(f"internal error: {type(error).__name__}: {error}")])
    return future.result()


def not_begun(name: str, lost: str) -> HostOutcome:
    """The outcome of a host that no run has ended for: interrupted, or lost for a reason."""
    faults = [Fault(lost, resolution=AGAIN)]
    return HostOutcome(name, state=events.FAILED, faults=faults) if lost else HostOutcome(name, state=events.INTERRUPTED)


def exit_status(outcomes: Sequence[HostOutcome], interrupted: bool, warned: bool = False) -> int:
    """The task's exit status: 130 interrupted, 2 a host failed, 3 only unreachable ones, 4 only warnings if `warned`, else 0."""
    states = {outcome.state for outcome in outcomes}
    if interrupted:
        return 130
    if events.FAILED in states or events.INTERRUPTED in states:
        return 2
    if events.UNREACHABLE in states:
        return 3
    return 4 if warned and any(outcome.warnings for outcome in outcomes) else 0
