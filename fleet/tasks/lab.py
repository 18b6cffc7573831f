"""The tasks of the lab: real systemd hosts on this machine, and full virtual machines by Vagrant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from invoke.context import Context

from fleet.tasks.options import Table, end, skiff_task, told

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "lab"
LAB: Table = {"name": (DEFAULT, "The lab's name, to have several (default: lab).")}


COUNT: Table = {
    "count": ("", "How many hosts (default: 1)."),
    "el": ("", "Their look: release 7, 8, 9 or 10 (default: 9)."),
}
PROVIDER: Table = {
    "provider": (
        "",
        "Full virtual machines instead, those of inventory/lab.yml, by Vagrant: libvirt, virtualbox, vmware_desktop, hyperv.",
    ),
}


@skiff_task(COUNT, PROVIDER, LAB)
def lab_up(_: Context, count: str, el: str, provider: str, name: str) -> None:
    """Boot real systemd hosts on this machine, or virtual machines, and add them to the inventory (group lab).

    Example: ./inv lab.up --count 2 --el 9
    Example: ./inv lab.up --provider libvirt
    """
    with told():
        from fleet.lab import Lab
        from fleet.number import whole

        if not provider:
            lab = Lab(name)
            show_lab(lab.up(whole("--count", count or "1", 1), el=whole("--el", el or "9", 7), report=print))
            if name != DEFAULT:
                print(f"they stand in their own inventory: ./inv facts --hosts lab --inventory {lab.inventory}")
            return
        from fleet.errors import UsageError

        given = [f"--{key}" for key, value in (("count", count), ("el", el), ("name", name != DEFAULT)) if value]
        if given:
            raise UsageError(
                f"{given[0]} is for the hosts that run on this machine alone.",
                resolution="inventory/lab.yml lists the virtual machines.",
            )
        show_machines(machines().up(provider, progress))


@skiff_task(LAB)
def lab_down(_: Context, name: str) -> None:
    """End the lab's hosts and virtual machines, and remove all that they left on this machine.

    Example: ./inv lab.down
    """
    with told():
        from fleet.lab import Lab

        virtual = name == DEFAULT and machines().exist()
        if virtual:
            machines().down(progress)
        if not virtual or Lab(name).mine():
            Lab(name).down(print)


@skiff_task(LAB)
def lab_status(_: Context, name: str) -> None:
    """Show the lab's hosts and virtual machines: address, release, Python, state.

    Example: ./inv lab.status
    """
    with told():
        from fleet.lab import Lab

        virtual = name == DEFAULT and machines().exist()
        if not virtual or Lab(name).mine():
            found = Lab(name).status()
            show_lab(found)
            if not found:
                print(f"the lab {name} has no hosts: `./inv lab.up` boots them, --name names another lab", file=sys.stderr)
        if virtual:
            show_machines(machines().status())


def machines() -> Any:
    """The Vagrantfile's."""
    from fleet.lab.vagrant import Machines

    return Machines(ROOT)


def progress(line: str) -> None:
    """Prints a line at once, also into a pipe: the next may take minutes to come."""
    print(line, flush=True)


def show_lab(statuses: Any) -> None:
    """Prints a line for each host of the lab."""
    for host in statuses:
        print(f"{host.name}  {host.address}  {host.release}  Python {host.python}  {host.state}")


def show_machines(statuses: Any) -> None:
    """Prints a line for each virtual machine."""
    for each in statuses:
        print(f"{each.name}  {each.where or '-'}  {each.provider}  {each.state}")


@skiff_task(
    {"host": ("", "The host's name."), "command": ("", "Run this instead of a shell.")},
    LAB,
    positional=("host",),
    of=("lab.ssh",),
)
def lab_ssh(_: Context, host: str, command: str, name: str) -> None:
    """Log in to a host or virtual machine of the lab.

    Example: ./inv lab.ssh lab1 --command 'skiff ps'
    """
    with told():
        from fleet.errors import UsageError
        from fleet.lab import Lab

        if not host:
            raise UsageError("lab.ssh: which host?", resolution="./inv lab.ssh HOST; `./inv lab.status` names them")
        found = machines().find(host) if name == DEFAULT else None
        argv = machines().ssh_argv(found) if found else Lab(name).ssh_argv(host)
    end(subprocess.run([*argv, command] if command else argv, check=False).returncode)
