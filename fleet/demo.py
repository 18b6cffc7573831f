"""The demo: a tour of the main job on a real host of the embedded lab, each step the command that a reader can repeat."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from fleet import probe_image
from fleet.errors import HostError
from fleet.lab import Lab

ROOT = Path(__file__).resolve().parent.parent
LAB = "demo"
HOST = "lab1"


@dataclass(frozen=True)
class Step:
    """One stop of the tour: what it shows, the command as a reader would type it, and as it is run."""

    title: str
    shown: str
    argv: Sequence[str]
    stdin: Optional[Path] = None


def tour(lab: Lab, image: Path) -> List[Step]:
    """The steps after the host has booted."""

    def task(title: str, *words: str) -> Step:
        shown = shlex.join(["./inv", *words, "--hosts", HOST])
        invoke = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *words]
        return Step(title, shown, [*invoke, "--hosts", HOST, "--inventory", str(lab.inventory)])

    def on_host(title: str, command: str, stdin: Optional[Path] = None) -> Step:
        shown = f"ssh root@{HOST} {shlex.quote(command)}" + (f" < {stdin.name}" if stdin else "")
        return Step(title, shown, [*lab.ssh_argv(HOST), command], stdin)

    return [
        task("What would be done", "plan"),
        task("Prepare the host over SSH", "provision"),
        task("Again: nothing to do", "provision"),
        task("Verify it on its own", "verify"),
        on_host("Give the host an image", "skiff load", image),
        on_host(
            "Run a container: its own host name, processes and root",
            f'skiff run --rm --network none -m 64m --hostname box {probe_image.REFERENCE} sh -c "hostname; ps; df /"',
        ),
        on_host("The version, as the client sees it", "skiff version"),
        on_host("The host's engine, in its own words", "skiff info"),
    ]


def run(keep: bool, report: Callable[[str], None]) -> None:
    """Boot a host, take the tour, end the host unless `keep`.

    Raises:
        HostError: a step failed; the host is left running for a look.
        FleetError: the lab cannot run on this machine.
    """
    lab = Lab(LAB)
    report("== Boot a real systemd host ==")
    lab.down()
    lab.up(1, report=report)
    image = probe_image.build(report=report)
    for step in tour(lab, image):
        report(f"\n== {step.title} ==\n$ {step.shown}")
        if _status(step) != 0:
            raise HostError(
                f"The demo stopped at: {step.title}",
                f"command: {step.shown}",
                f"The host still runs: {shlex.join(lab.ssh_argv(HOST))}\nEnd it with: ./inv lab.down --name {LAB}",
            )
    if keep:
        report(f"\nThe host still runs: ./inv lab.ssh {HOST} --name {LAB}; end it with ./inv lab.down --name {LAB}")
        return
    lab.down()
    report("\nDone; the host is gone. `./inv demo --keep` leaves it running, `./inv lab.up` makes one of your own.")


def _status(step: Step) -> int:
    sys.stdout.flush()
    if step.stdin is None:
        return subprocess.run(step.argv, stdin=subprocess.DEVNULL, check=False).returncode
    with step.stdin.open("rb") as stream:
        return subprocess.run(step.argv, stdin=stream, check=False).returncode
