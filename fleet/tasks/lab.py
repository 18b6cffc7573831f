"""The tasks of the embedded lab: real systemd hosts on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.main import program

from fleet.tasks.options import Table, end, skiff_task, told

ROOT = Path(__file__).resolve().parents[2]
LAB: Table = {"name": ("lab", "The lab's name, to have several (default: lab).")}


@skiff_task({"count": ("1", "How many hosts (default: 1)."), "el": ("9", "Their look: release 7, 8, 9 or 10 (default: 9).")}, LAB)
def lab_up(_: Context, count: str, el: str, name: str) -> None:
    """Boot real systemd hosts on this machine, and write their inventory (group lab).

    Example: ./inv lab.up --count 2 --el 9
    """
    with told():
        from fleet.lab import Lab
        from fleet.number import whole

        show_lab(Lab(name).up(whole("--count", count, 1), el=whole("--el", el, 7), report=print))


@skiff_task(LAB)
def lab_down(_: Context, name: str) -> None:
    """End the lab's hosts and remove all that they left on this machine.

    Example: ./inv lab.down
    """
    with told():
        from fleet.lab import Lab

        Lab(name).down(print)


@skiff_task(LAB)
def lab_status(_: Context, name: str) -> None:
    """Show the lab's hosts: address, release, Python, state.

    Example: ./inv lab.status
    """
    with told():
        from fleet.lab import Lab

        show_lab(Lab(name).status())


def show_lab(statuses: Any) -> None:
    """Prints a line for each host of the lab."""
    for host in statuses:
        print(f"{host.name}  {host.address}  {host.release}  Python {host.python}  {host.state}")


@skiff_task(
    {"host": (None, "The host's name."), "command": ("", "Run this instead of a shell.")},
    LAB,
    positional=("host",),
)
def lab_ssh(_: Context, host: str, command: str, name: str) -> None:
    """Log in to a host of the lab.

    Example: ./inv lab.ssh lab1 --command 'skiff ps'
    """
    if host in ("-h", "--help"):
        # Invoke takes any word for a positional argument that is still missing.
        program.run(["invoke", "--search-root", str(ROOT), "--help", "lab.ssh"], exit=False)
        return
    with told():
        from fleet.lab import Lab

        argv = Lab(name).ssh_argv(host)
    end(subprocess.run([*argv, command] if command else argv, check=False).returncode)
