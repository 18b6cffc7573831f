"""Runs `vagrant` and reads its machine-readable lines: what it says as it goes, and the class of the error that ended it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, List, Sequence

from fleet.errors import FleetError
from fleet.lab.vagrant import faults

# Seconds for which another vagrant may keep a machine, and between two looks.
PATIENCE = 1800.0
PAUSE = 5.0
LOCKED = "Vagrant::Errors::MachineActionLockedError"
ROW = re.compile(r"(?P<time>\d+),(?P<target>[^,]*),(?P<type>[^,]+)(?:,(?P<data>.*))?")
INSTALL = (
    "On Debian: apt-get install vagrant vagrant-libvirt libvirt-daemon-system qemu-system-x86\n"
    "Elsewhere: https://developer.hashicorp.com/vagrant/install; docs/guides/vagrant.md tells of each provider."
)
Report = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One line of Vagrant's: `target` is a machine's name or "", `data` its fields."""

    target: str
    type: str
    data: Sequence[str]


def run(checkout: Path, words: Sequence[str], report: Report) -> List[Row]:
    """Runs vagrant to its end, and tells what it says line by line; waits while another vagrant has a machine in hand.

    Raises:
        FleetError: it is missing, or failed; with the cause and the cure.
    """
    deadline, cleared = time.monotonic() + PATIENCE, False
    while True:
        rows, plain, status = attempt(checkout, words, report)
        if status == 0:
            return rows
        ended = next((row.data for row in reversed(rows) if row.type == "error-exit"), ("", "\n".join(plain)))
        if ended[0] == LOCKED and time.monotonic() < deadline:
            report("another vagrant has a machine of this lab in hand; waiting for it")
            time.sleep(PAUSE)
        elif faults.half_made(ended) and not cleared:
            cleared = True
            report("libvirt has ended only now what a killed up began; clearing it")
        else:
            raise faults.explain(words, ended)


def attempt(checkout: Path, words: Sequence[str], report: Report) -> tuple[List[Row], List[str], int]:
    """Runs vagrant once: its rows, its other lines, its exit status."""
    program = shutil.which("vagrant")
    if program is None:
        raise FleetError("Vagrant is not installed.", resolution=INSTALL)
    argv = [program, *words, "--machine-readable"]
    environment = {name: value for name, value in os.environ.items() if name != "VAGRANT_VAGRANTFILE"}
    environment["VAGRANT_CWD"] = str(checkout)
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            return *_read(process.stdout, report), process.wait()
        except KeyboardInterrupt:
            # It was interrupted as well, and puts away what it has half made; a second Ctrl-C cuts that short.
            report("interrupted; vagrant is cleaning up")
            _read(process.stdout, report)
            raise


def _read(stream: IO[str], report: Report) -> tuple[List[Row], List[str]]:
    rows: List[Row] = []
    plain: List[str] = []
    for line in stream:
        match = ROW.fullmatch(line.rstrip("\n"))
        if match is None:
            plain.append(line.rstrip("\n"))
            continue
        fields = [unescape(field) for field in (match["data"] or "").split(",")]
        rows.append(Row(match["target"], match["type"], fields))
        if match["type"] == "ui" and fields[0] != "error":
            for said in fields[-1].splitlines():
                if told := unadorned(said, match["target"]):
                    report(told)
    return rows, plain


def unadorned(said: str, target: str) -> str:
    """A line as `el9: Starting domain.`, whichever way Vagrant has put the machine's name before it, or has not; "" for no text."""
    if not target:
        return said.strip()
    bare = said.strip().removeprefix("==> ").removeprefix(f"{target}:").strip()
    return f"{target}: {bare}" if bare else ""


def unescape(field: str) -> str:
    """A field's text."""
    return field.replace("%!(VAGRANT_COMMA)", ",").replace("\\r", "\r").replace("\\n", "\n")
