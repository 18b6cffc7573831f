"""Hosts' runs on Dask's workers, for fleets that one control machine is too small for. `fleet.run.errand` is the workers' side.

Nothing here speaks to a host. Plain TCP is spoken on the loopback alone: contents and passwords pass through, and whoever reaches a
scheduler runs what he likes on its workers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import pickle
import socket
import threading
import time
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any, Callable, Iterator, List, Optional
from urllib.parse import urlsplit

from distributed import Client, Queue

from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.inventory.model import Host
from fleet.roles import defaults
from fleet.run import errand, sources
from fleet.run.connector import Connector
from fleet.run.errand import Errand
from fleet.run.job import Job
from fleet.run.places import Limits
from fleet.secret import references

TLS = "tls"
ACTIVE, SILENT = 32, 64
CONNECT = 10
LOOK = 0.1
BEAT = 3.0
# Seconds without a worker or a scheduler after which nothing is expected any more.
GONE = 20.0
CURE = "start each in a checkout of this version: `PYTHONPATH=. .venv/bin/dask worker SCHEDULER` (docs/guides/fan-out.md)"


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at tcp://HOST:PORT or tls://HOST:PORT.

    Raises:
        UsageError: it cannot be reached, or must not be talked to in plain text.
    """
    # Its own words come from threads, in the midst of the run's.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    refuse_plain(address, "the scheduler")
    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        cure = (
            "see that `dask scheduler` runs there"
            if not address.startswith(TLS)
            else "see that it runs there, and Dask's TLS files"
        )
        raise UsageError(f"--engine: no Dask scheduler answers at {address}", str(error), cure) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            # Its scheduler may be gone.
            client.close(timeout=2)


def refuse_plain(address: str, who: str) -> None:
    """Refuses plain TCP that leaves this machine.

    Raises:
        UsageError: it does, or the name is not known.
    """
    parts = urlsplit(address)
    if parts.scheme != "tcp":
        return
    try:
        places = {row[4][0] for row in socket.getaddrinfo(parts.hostname, parts.port, 0, socket.SOCK_STREAM)}
    except OSError as error:
        raise UsageError(
            f"--engine: {parts.hostname} is no known host name",
            str(error),
            "write the address that the scheduler printed as it started",
        ) from error
    if not all(ipaddress.ip_address(str(place).partition("%")[0]).is_loopback for place in places):
        raise UsageError(
            f"--engine: {who} at {address} would be sent passwords and files in plain text",
            "plain TCP is spoken on the loopback alone",
            "let Dask speak TLS and write --engine tls://HOST:PORT (docs/guides/fan-out.md)",
        )


def task(one: bytes) -> Callable[[bytes], HostOutcome]:
    """A host's run as it travels. The scheduler, which unpickles it, has none of our modules, and is to see no secret."""

    def host(work: bytes) -> HostOutcome:
        from fleet.run.errand import do

        return do(work, one)

    return host


class Cluster:
    """One run on the workers of a scheduler."""

    def __init__(self, client: Client, job: Job, connector: Connector, own_roles: Optional[str]) -> None:
        self._client = client
        self._job = job
        self._connector = connector
        self._own_roles = own_roles
        self._digest = sources.digest(own_roles)
        self._key = errand.key(job.run)
        self._stopped = self._over = False
        self._trusted: List[str] = []
        self._pump: Optional[threading.Thread] = None

    @property
    def executor(self) -> Executor:
        """Dask's, which begins no task anew by itself but for a lost worker's; on the workers that `limits` has looked at alone."""
        executor: Executor = self._client.get_executor(pure=False, retries=0, workers=self._trusted)
        return executor

    def limits(self, forks: Optional[int]) -> Limits:
        """How many hosts at once: many for each worker.

        Raises:
            UsageError: there is no worker, or one that cannot or must not take part.
        """
        workers = self._workers()
        if not workers:
            raise UsageError("--engine: the scheduler has no workers", "", CURE)
        for worker in workers:
            refuse_plain(worker, "a worker")
        for worker, found in self._client.run(sources.digest, self._own_roles, on_error="return").items():
            if found != self._digest:
                said = f"{type(found).__name__}: {found}" if isinstance(found, Exception) else "its sources differ from those here"
                raise UsageError(f"--engine: the worker {worker} cannot take part", said, CURE)
        self._trusted = workers
        active = forks or ACTIVE * len(workers)
        return Limits(active, active + SILENT * len(workers))

    def _workers(self) -> List[str]:
        return list(self._client.nthreads())

    def begin(self, put: Callable[[Event], None], lost: Callable[[str], None]) -> None:
        """Sends the job to every worker, and passes on what comes back."""
        self._say()
        self._queue = Queue(self._key, client=self._client)
        # Without the password: Dask may write what it holds to a worker's disk.
        self._pickled = pickle.dumps(replace(self._job, become_password=None))
        self._work = self._scattered()
        self._pump = threading.Thread(target=self._listen, args=(put, lost), name="events", daemon=True)
        self._pump.start()

    def _scattered(self) -> Any:
        return self._client.scatter(self._pickled, broadcast=True, hash=False)

    def submit(self, executor: Executor, host: Host) -> Future[HostOutcome]:
        """Begins a host's run."""
        # Workers have neither this machine's environment nor its key of age.
        values = defaults.values(self._job.declared, host.variables) if self._job.roles else {}
        logins = (host.ssh_password, host.key_passphrase, host.become_password)
        secrets = self._job.fetch.taken([*references(values), *references(logins)])
        one = Errand(self._job.run, self._digest, self._own_roles, host, self._connector, self._job.become_password, secrets)
        if self._work.status != "finished":
            # The workers that held it were lost.
            self._work = self._scattered()
        return executor.submit(task(pickle.dumps(one)), self._work)

    def stop(self) -> None:
        """Each host finishes the resource in hand."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._say()

    def end(self) -> None:
        """Every event has been put when this returns."""
        self._over = True
        if self._pump is not None:
            self._pump.join(GONE)
        with contextlib.suppress(OSError):
            self._client.set_metadata([self._key], {})
            self._queue.close()

    def _say(self) -> None:
        self._client.set_metadata([self._key, "word"], {"stop": self._stopped, "beat": time.time()})

    def _listen(self, put: Callable[[Event], None], lost: Callable[[str], None]) -> None:
        beaten = well = time.monotonic()
        reason = ""
        while time.monotonic() - well < GONE:
            last = self._over
            try:
                for event in self._received():
                    put(event)
                if last:
                    return
                time.sleep(LOOK)
                if time.monotonic() - beaten > BEAT:
                    beaten = time.monotonic()
                    self._say()
                    reason = "no worker is left"
                    well = beaten if set(self._trusted).intersection(self._workers()) else well
            except Exception as error:
                # Whatever Dask raises, the run is not to wait for ever.
                if self._over:
                    return
                reason = f"the scheduler does not answer: {error}"
                time.sleep(1)
        lost(f"the Dask cluster was lost: {reason}")

    def _received(self) -> Iterator[Event]:
        for batch in self._queue.get(batch=True):
            for line in batch:
                yield Event(**json.loads(line))
