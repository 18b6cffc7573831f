"""What carries out hosts' runs: threads of this process, or Dask's workers by `--engine`."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Iterator, NamedTuple, Optional
from urllib.parse import urlsplit

from fleet.errors import UsageError
from fleet.run import places
from fleet.run.connector import Connector
from fleet.run.fanout import Elsewhere
from fleet.run.job import Job
from fleet.run.places import Limits

THREADS = "threads"
SCHEMES = {"dask": "tcp", "tls": "tls"}


class Engine(NamedTuple):
    """An executor, how many hosts it is given at once, and where their runs go on if not here."""

    executor: Executor
    limits: Limits
    elsewhere: Optional[Elsewhere] = None


def check(text: str) -> None:
    """Refuses an --engine that is none.

    Raises:
        UsageError: it is not of a known form, or what it needs is not installed.
    """
    if text != THREADS:
        scheduler(text)
        try:
            import distributed  # noqa: F401 # only whether it is there
        except ImportError as error:
            raise UsageError(
                "--engine: Dask is not installed here", str(error), "install the extra: .venv/bin/pip install 'distributed>=2024.8'"
            ) from error


def scheduler(text: str) -> str:
    """The scheduler's address as Dask writes it.

    Raises:
        UsageError: it is none.
    """
    parts = urlsplit(text)
    cure = f"write {THREADS}, dask://HOST:PORT (on this machine) or tls://HOST:PORT"
    try:
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--engine: {text!r}: {error}", resolution=cure) from error
    if parts.scheme not in SCHEMES or not parts.hostname or port is None or parts.path or parts.username:
        raise UsageError(f"--engine: {text!r} is no engine", resolution=cure)
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}"


@contextlib.contextmanager
def opened(text: str, forks: Optional[int], job: Job, connector: Connector, own_roles: str) -> Iterator[Engine]:
    """The engine that --engine names.

    Raises:
        UsageError: it cannot be had.
    """
    if text == THREADS:
        limits = places.limits(forks)
        with ThreadPoolExecutor(limits.most, thread_name_prefix="host") as executor:
            yield Engine(executor, limits)
        return
    if job.keep or job.saved is not None:
        cure = "leave --engine out; a run without a file takes it"
        raise UsageError(
            "--engine: plans are kept in files and applied from them in threads of this machine alone", resolution=cure
        )
    # Its import takes a second: a run in threads does without.
    from fleet.run import cluster

    with cluster.connected(scheduler(text)) as client:
        share = cluster.Cluster(client, job, connector, os.path.abspath(own_roles) if own_roles else None)
        limits = share.limits(forks)
        yield Engine(share.executor, limits, share)
