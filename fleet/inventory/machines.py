"""The virtual machines of the Vagrantfile, in the group `lab`: each as its `vagrant up` wrote down how it is reached.

<.vagrant>/machines/<name>/<provider>/host.yml    the connection settings; goes with the machine
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from fleet.inventory.document import load
from fleet.inventory.gathered import Gathered
from fleet.inventory.model import Group
from fleet.inventory.native import settings_of

GROUP = "lab"


def state(checkout: Path) -> Path:
    """Where Vagrant keeps what it knows of a checkout's machines."""
    return checkout / (os.environ.get("VAGRANT_DOTFILE_PATH") or ".vagrant")


def machine_files(checkout: Path) -> List[Path]:
    """The files of the machines that have been up, by name."""
    return sorted(path for path in state(checkout).glob("machines/*/*/host.yml") if os.access(path, os.R_OK))


def name_of(file: Path) -> str:
    """The name of the machine that a file is of."""
    return file.parent.parent.name


def read_machine(gathered: Gathered, file: Path) -> None:
    """Adds one machine to an inventory.

    Raises:
        UsageError: the file has a fault, or there is another host of that name.
    """
    entry = load(file)
    gathered.define_host(name_of(file), entry, settings_of(entry, of_host=True))
    gathered.groups.setdefault(GROUP, Group(GROUP, entry)).hosts.append(name_of(file))
