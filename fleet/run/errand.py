"""One host's run on a Dask worker. Events go back by a queue; the word to stop, and who has which host, stand at the scheduler.

The metadata of a run there, under `key(run)`:

word     {"stop": bool, "beat": number}; without it the run is over, and when the beat stands still the control process is gone
hosts    the worker that took each host in hand. Dask gives the task of a lost worker to another: that one finds the host taken.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Dict, Iterator, List, Mapping, Optional

from distributed import Client, Queue, get_client, get_worker, secede

from fleet import events
from fleet.events import Event, Fault, HostOutcome
from fleet.inventory.model import Host
from fleet.run import sources
from fleet.run.connector import Connector
from fleet.run.fanout import AGAIN, LOST
from fleet.run.host import HostRun
from fleet.run.job import Job
from fleet.secret import Reference
from fleet.secrets.resolver import Fetched, Resolver
from fleet.transport.stop import Stop

LOOK = 0.5
# Seconds without a beat of the control process.
GONE = 30.0


@dataclass(frozen=True)
class Errand:
    """What a worker needs for one host besides the job. Secrets are here: what Dask holds for all hosts it may write to a disk."""

    run: str
    digest: str
    own_roles: Optional[str]
    host: Host = field(repr=False)
    connector: Connector = field(repr=False)
    become_password: Optional[str] = field(repr=False)
    secrets: Mapping[Reference, Fetched] = field(default_factory=dict, repr=False)


def key(run: str) -> str:
    """The run's name at the scheduler."""
    return f"skiff-{run}"


def do(work: bytes, one: bytes) -> HostOutcome:
    """Dask's task: an errand and the job, pickled. A worker holds the job once."""
    # Its thread leaves the worker's pool: how many hosts are in hand is the control process's to say.
    secede()
    errand: Errand = pickle.loads(one)  # noqa: S301 # from the control process, as the task is
    run = Runs.of(errand, work)
    with run.busy():
        return run.host(errand)


class Runs:
    """A run's share on this worker: the job, the parts that connections share, the word from the control process."""

    _lock = threading.Lock()
    _known: Dict[str, Runs] = {}

    @classmethod
    def of(cls, errand: Errand, work: bytes) -> Runs:
        """The share of this errand's run, made when its first host comes."""
        with cls._lock:
            if errand.run not in cls._known:
                cls._known[errand.run] = cls(errand, work, get_client(), get_worker().address)
            return cls._known[errand.run]

    def __init__(self, errand: Errand, work: bytes, client: Client, worker: str) -> None:
        self._key = key(errand.run)
        self._run = errand.run
        self._client = client
        self._worker = worker
        same = sources.digest(errand.own_roles) == errand.digest
        self._job: Optional[Job] = pickle.loads(work) if same else None  # noqa: S301 # as above
        self._connector = errand.connector
        self._queue = Queue(self._key, client=client)
        self._hosts = 0
        self._beat: object = None
        self._beaten = time.monotonic()
        self.stop = Stop()
        threading.Thread(target=self._watch, name="word", daemon=True).start()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While a host is in hand."""
        with self._lock:
            self._hosts += 1
        try:
            yield
        finally:
            with self._lock:
                self._hosts -= 1

    def host(self, errand: Errand) -> HostOutcome:
        """A host's run, unless it was begun elsewhere."""
        name = errand.host.name
        taken = [self._key, "hosts", name]
        holder = self._client.get_metadata(taken, default=None)
        if holder is not None:
            return failed(name, f"{LOST}: {holder}", AGAIN)
        if self._job is None:
            return failed(
                name, f"the worker {self._worker} has other sources than the control machine", "give it the same checkout"
            )
        word = self._word()
        if word is None or word["stop"]:
            return HostOutcome(name, state=events.INTERRUPTED)
        self._client.set_metadata(taken, self._worker)
        post = Post(self._queue, self.stop)
        fetch = Resolver(errand.secrets)
        job = replace(self._job, become_password=errand.become_password, fetch=fetch)
        outcome = HostRun(errand.host, job, partial(self._connector, fetch=fetch), post.put, self.stop)()
        post.flush()
        return outcome

    def _word(self) -> Optional[Dict[str, Any]]:
        word: Optional[Dict[str, Any]] = self._client.get_metadata([self._key, "word"], default=None)
        return word

    def _watch(self) -> None:
        """Until the run is over, looks for the word to stop and for the control process's beat."""
        while True:
            time.sleep(LOOK)
            word: Optional[Dict[str, Any]] = {"stop": False, "beat": self._beat}
            with contextlib.suppress(Exception):
                # Whatever befell the scheduler, the beat stands still.
                word = self._word()
            if word is None and not self._hosts:
                break
            if word is not None and word["beat"] != self._beat:
                self._beat, self._beaten = word["beat"], time.monotonic()
            if word is None or word["stop"] or time.monotonic() - self._beaten > GONE:
                self.stop.set()
                self.stop.cut()
                if not self._hosts:
                    break
        with self._lock:
            self._known.pop(self._run, None)
        self._queue.close()


class Post:
    """A host's events on their way. Results that are ok wait for the next event: a host without changes has many."""

    def __init__(self, queue: Queue, stop: Stop) -> None:
        self._queue = queue
        self._stop = stop
        self._held: List[str] = []

    def put(self, event: Event) -> None:
        """Sends an event, with those held before it."""
        self._held.append(json.dumps({"host": event.host, "kind": event.kind, "data": event.data, "at": event.at}))
        if event.kind != "result" or event.data["status"] != events.OK:
            self.flush()

    def flush(self) -> None:
        """Sends what is held; if nobody can be told, the host is to do no more."""
        held, self._held = self._held, []
        if held:
            try:
                self._queue.put(held, timeout="30s")
            except Exception:
                self._stop.set()


def failed(host: str, brief: str, cure: str) -> HostOutcome:
    """The outcome of a host that is not touched."""
    return HostOutcome(host, state=events.FAILED, faults=[Fault(brief, resolution=cure)])
