"""Runs a job on many hosts by any executor, hands events to listeners in the main thread, and ends orderly on Ctrl-C.

The first Ctrl-C lets each host finish the resource in hand; the second ends at once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from concurrent.futures import Executor, Future
from types import FrameType
from typing import Callable, Dict, List, Optional, Sequence, Union

from fleet import events
from fleet.events import Event, Fault, HostOutcome, Listener
from fleet.inventory.model import Host
from fleet.run.host import Connect, HostRun
from fleet.run.job import Job

INTERRUPT = "interrupt"
SHOW_CURSOR = b"\x1b[?25h"

Item = Union[Event, HostOutcome, str]


def default_forks() -> int:
    """How many hosts at a time: they mostly wait, so many for each processor."""
    return min(64, 16 * (os.cpu_count() or 1))


class Fanout:
    """One run. `connect` makes the transport of a host."""

    def __init__(self, job: Job, connect: Connect, listeners: Sequence[Listener]) -> None:
        self._job = job
        self._connect = connect
        self._listeners = listeners
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.stopping = threading.Event()

    def run(self, hosts: Sequence[Host], executor: Executor) -> List[HostOutcome]:
        """The outcomes, in the order of the hosts."""
        before = self._catch_interrupts()
        try:
            for listener in self._listeners:
                listener.begin(self._job.run, [host.name for host in hosts])
            outcomes = self._collect(hosts, executor)
            for listener in self._listeners:
                listener.end(outcomes, self.stopping.is_set())
        except BaseException:
            # A listener's fault: nobody would see what the hosts that are still at work do.
            self.stopping.set()
            raise
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        return outcomes

    def _collect(self, hosts: Sequence[Host], executor: Executor) -> List[HostOutcome]:
        futures = {host.name: executor.submit(self._one, host) for host in hosts}
        for name, future in futures.items():
            future.add_done_callback(lambda done, name=name: self._items.put(ended(name, done)))  # type: ignore[misc] # name is bound
        outcomes: Dict[str, HostOutcome] = {}
        while len(outcomes) < len(hosts):
            item = self._items.get()
            if isinstance(item, HostOutcome):
                outcomes[item.host] = item
            elif isinstance(item, Event):
                for listener in self._listeners:
                    listener.hear(item)
            else:
                for future in futures.values():
                    future.cancel()
        return [outcomes[host.name] for host in hosts]

    def _one(self, host: Host) -> HostOutcome:
        return HostRun(host, self._job, self._connect, self._items.put, self.stopping)()

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
        self._items.put(INTERRUPT)


def say(text: bytes) -> None:
    """Words on standard error, if somebody still reads it."""
    with contextlib.suppress(OSError):
        os.write(2, text)


def ended(name: str, future: Future[HostOutcome]) -> HostOutcome:
    """A future's outcome; one that was cancelled before it began has done nothing."""
    if future.cancelled():
        return HostOutcome(name, state=events.INTERRUPTED)
    error = future.exception()
    if error is not None:
        return HostOutcome(name, state=events.FAILED, faults=[Fault(f"internal error: {type(error).__name__}: {error}")])
    return future.result()


def exit_status(outcomes: Sequence[HostOutcome], interrupted: bool) -> int:
    """The task's exit status: 130 interrupted, 2 a host failed, 3 only unreachable hosts, else 0."""
    states = {outcome.state for outcome in outcomes}
    if interrupted:
        return 130
    if events.FAILED in states or events.INTERRUPTED in states:
        return 2
    return 3 if events.UNREACHABLE in states else 0
