"""Runs the benchmark and prints its table; with --json FILE, every sample too.

    .venv/bin/python -m tests.bench.provision --hosts 1,10,20 --rtt 0,50 --runs 5

That takes about an hour on two cores. It needs what the lab needs, and takes a lab of its own up and down.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from fleet.lab import Lab
from tests.bench.provision import measure, table
from tests.bench.provision.contenders import ANSIBLE, IDEAL, PYINFRA, SKIFF, Bench
from tests.bench.provision.hosts import Hosts
from tests.bench.provision.network import delayed

FIRST, NO_CHANGE = "first", "no change"


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.provision", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", default="1,10,20", help="how many hosts, separated by commas")
    parser.add_argument("--rtt", default="0,50", help="milliseconds of round trip, separated by commas")
    parser.add_argument("--runs", type=int, default=5, help="how often each contender does the job anew")
    parser.add_argument("--repeats", type=int, default=2, help="runs without changes after each of these")
    parser.add_argument("--with", dest="names", default=f"{SKIFF},{IDEAL},{PYINFRA},{ANSIBLE}", help="who takes part")
    parser.add_argument("--lab", default="bench-provision", help="the lab's name")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--json", default="", help="a file for every sample")
    return parser.parse_args()


def say(text: str) -> None:
    """Progress."""
    sys.stderr.write(f"{text}\n")


def rounds(bench: Bench, hosts: Hosts, names: List[str], runs: int, repeats: int) -> List[Dict[str, Any]]:
    """The samples: everyone in turn, again and again; Ansible, which takes minutes, once."""
    found = []
    for number in range(runs):
        for contender in bench.contenders(hosts.as_data(), [name for name in names if name != ANSIBLE or number == 0]):
            hosts.reset()
            began = None
            for phase in (FIRST, *[NO_CHANGE] * repeats):
                # The table's memory is of the runs whose time is not in it: those of the first round.
                sample = measure.run(contender, hosts, watch=number == 0 and contender.name == ANSIBLE)
                starts = hosts.prove()
                assert began in (None, starts), f"{contender.name} started the service again though nothing changed"
                began = starts
                found.append({"contender": contender.name, "phase": phase, "round": number, **sample.as_data()})
                say(f"  {contender.name}, {phase}: {sample.wall:.2f} s, cpu {sample.cpu:.2f} s, hosts {sample.hosts_cpu:.2f} s")
    return found


def main() -> int:
    """The benchmark."""
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was brought up is taken down again
    counts = [int(word) for word in given.hosts.split(",")]
    names = [word.strip() for word in given.names.split(",")]
    document: Dict[str, Any] = {"machine": machine(), "counts": {}, "samples": [], "delay": []}
    lab = Lab(given.lab)
    with tempfile.TemporaryDirectory(prefix="skiff-bench-") as work:
        bench = Bench(Path(work))
        try:
            lab.up(max(counts), report=say)
            for name in names:
                document["counts"][name] = measure.count(bench, lab, name)
                say(f"{name}: {document['counts'][name]}")
            for milliseconds in [int(word) for word in given.rtt.split(",")]:
                with delayed(lab, milliseconds / 1000) as carried:
                    for count in counts:
                        say(f"{count} hosts, {milliseconds} ms:")
                        for sample in rounds(bench, Hosts(lab, count), names, given.runs, given.repeats):
                            document["samples"].append({"hosts": count, "rtt": milliseconds, **sample})
                        keep(document, given.json)
                document["delay"].append({"rtt": milliseconds, **carried})
        finally:
            if not given.keep:
                lab.down(say)
    keep(document, given.json)
    sys.stdout.write(table.draw(document) + "\n")
    return 0


def keep(document: Dict[str, Any], file: str) -> None:
    """Writes the samples so far: an hour of them is not to be lost with the next."""
    if file:
        Path(file).write_text(json.dumps(document, indent=1) + "\n")


def machine() -> Dict[str, Any]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {"kernel": platform.release(), "python": platform.python_version(), "cpus": os.cpu_count(), "model": model}


if __name__ == "__main__":
    sys.exit(main())
