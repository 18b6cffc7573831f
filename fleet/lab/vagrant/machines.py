"""The virtual machines of a checkout's Vagrantfile, brought up and down; the Vagrantfile itself writes how each is reached.

<.vagrant>/machines/<name>/<provider>/    `id` of a machine that is there; host.yml and known_hosts of one that has been up
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

from fleet.errors import FleetError, UsageError
from fleet.inventory.load import read_inventory
from fleet.inventory.machines import machine_files, name_of, state
from fleet.inventory.model import Host
from fleet.lab.vagrant import program
from fleet.lab.vagrant.program import Report

PROVIDERS = ("libvirt", "virtualbox", "vmware_desktop", "hyperv")
ABSENT = "not_created"


@dataclass(frozen=True)
class MachineStatus:
    """A machine as Vagrant sees it; `where` is its address and port, "" before its first start."""

    name: str
    where: str
    provider: str
    state: str


class Machines:
    """The machines of one checkout."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout

    def exist(self) -> bool:
        """Whether Vagrant has begun to make any: asked of its files, for the program takes seconds to start."""
        return any(state(self._checkout).glob("machines/*/*/*"))

    def up(self, provider: str, report: Report) -> List[MachineStatus]:
        """Makes sure that all machines of inventory/lab.yml run.

        Raises:
            UsageError: there is no such provider.
            FleetError: Vagrant cannot; with the cause and the cure.
        """
        if provider not in PROVIDERS:
            raise UsageError(f"--provider: {provider!r} is none of {', '.join(PROVIDERS)}.")
        program.run(self._checkout, ["up", "--provider", provider], report)
        found = self.status()
        untold = [each.name for each in found if not each.where]
        if untold:
            raise FleetError(
                f"Vagrant has started {', '.join(untold)} without the Vagrantfile's triggers.",
                resolution="Unset VAGRANT_NO_TRIGGERS and run this again.",
            )
        return found

    def status(self) -> List[MachineStatus]:
        """The machines as they are now."""
        rows = program.run(self._checkout, ["status"], lambda _line: None)
        known: Dict[str, Dict[str, str]] = {}
        for row in rows:
            if row.target:
                known.setdefault(row.target, {})[row.type] = row.data[0]
        hosts = self._hosts()
        return [
            MachineStatus(name, hosts[name].target if name in hosts else "", told.get("provider-name", ""), told.get("state", ""))
            for name, told in known.items()
        ]

    def down(self, report: Report) -> None:
        """Destroys the machines, with all that they hold."""
        program.run(self._checkout, ["destroy", "--force"], report)

    def find(self, name: str) -> Optional[Host]:
        """How a machine is reached; None if none of that name has been up."""
        return self._hosts().get(name)

    def ssh_argv(self, host: Host) -> List[str]:
        """The ssh command that opens a shell on a machine, or runs what is appended; it knows the machine's key."""
        options = [f"UserKnownHostsFile={host.known_hosts}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes"]
        words = [word for option in options for word in ("-o", option)]
        port = ["-p", str(host.port)] if host.port else []
        return ["ssh", "-F", "none", "-i", str(host.identity_file), *words, *port, f"{host.user}@{host.address}"]

    def _hosts(self) -> Dict[str, Host]:
        files = machine_files(self._checkout)
        inventory = read_inventory([], files)
        return {name_of(file): inventory.host(name_of(file), {}) for file in files}
