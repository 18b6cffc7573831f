"""A rollout over thousands of simulated hosts: what a host costs the control side, whatever the network and SSH cost besides.

    .venv/bin/python -m tests.bench.rollout --hosts 100,1000,10000

The hosts are functions in this process (`tests/unit/rollout/fakes.py`) that answer on the wire as agents do. All the rest is real:
the look, batches, verify gates, journal, record, roles compiled and templates drawn for each host, frames written and read. The
hosts' own part is in the figures. Each size is a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

from fleet.record import Record
from fleet.rollout import position
from tests.unit.rollout.fakes import Fleet, terms

HEADINGS = ("hosts", "batches", "wall s", "CPU s", "CPU ms a host", "exchanges", "memory MB", "KB a host", "journal KB")
UNREACHABLE = 200  # one of so many


def one(count: int, forks: int) -> None:
    """One rollout, and its line."""
    with tempfile.TemporaryDirectory(prefix="skiff-bench-") as work:
        os.environ["XDG_STATE_HOME"] = work
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        fleet = Fleet.of(count)
        for number, host in enumerate(fleet.hosts.values()):
            host.reachable = number % UNREACHABLE != UNREACHABLE - 1
        fleet.forks = forks
        record = Record("upgrade")
        record.begin("bench", list(fleet.hosts))
        fleet.listeners = [record]
        book = fleet.start("bench", terms(most="1%"))
        wall, cpu = time.monotonic(), time.process_time()
        told, outcomes, _ = fleet.go(book)
        record.end(outcomes, False)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        assert told.state == position.DONE, told.why
        assert [host.current for host in fleet.hosts.values()].count("0.2.0") == count - count // UNREACHABLE
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cells = [
            str(count), str(len(told.batches)), f"{wall:.1f}", f"{cpu:.1f}", f"{cpu * 1000 / count:.1f}", str(len(fleet.met)),
            f"{memory / 1024:.0f}", f"{(memory - before) / count:.1f}", f"{book.path.stat().st_size / 1024:.0f}",
        ]  # fmt: skip
        sys.stdout.write("| " + " | ".join(cells) + " |\n")


def main() -> int:
    """The benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rollout", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", default="100,1000,10000", help="how many, separated by commas")
    parser.add_argument("--forks", type=int, default=32, help="how many at a time")
    given = parser.parse_args()
    counts = [int(word) for word in given.hosts.split(",")]
    if len(counts) == 1:
        one(counts[0], given.forks)
        return 0
    sys.stdout.write("| " + " | ".join(HEADINGS) + " |\n|" + " --- |" * len(HEADINGS) + "\n")
    sys.stdout.flush()
    for count in counts:
        argv = [sys.executable, "-m", "tests.bench.rollout", "--hosts", str(count), "--forks", str(given.forks)]
        if subprocess.run(argv, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
