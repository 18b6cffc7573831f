"""The lab's full virtual machines, made by Vagrant as inventory/lab.yml lists them; the Ruby here is the Vagrantfile's."""

from __future__ import annotations

from fleet.lab.vagrant.machines import PROVIDERS, Machines, MachineStatus

__all__ = ["PROVIDERS", "MachineStatus", "Machines"]
