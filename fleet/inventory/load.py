"""Reads inventories, told apart by what they hold; several files make one inventory.

inventory/hosts.yml             vars, hosts, groups (Skiff's own form), or an inventory of Ansible's
inventory/group_vars/<group>    settings of a group (or of `all`), over those in the inventory: .yml, .yaml, .json, or a directory
inventory/host_vars/<host>      settings of a host, likewise
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from fleet.errors import UsageError
from fleet.inventory import machines
from fleet.inventory.ansible.ini import IniReader
from fleet.inventory.ansible.tree import EXPORT, read_tree
from fleet.inventory.beside import ENDINGS, VAULT, read_beside
from fleet.inventory.document import VAULT_CURE, Entry, parse, read
from fleet.inventory.gathered import Gathered
from fleet.inventory.model import Inventory
from fleet.inventory.native import TOP, read_native

NAMES = ("hosts.yml", "hosts.yaml", "hosts", "hosts.ini", "inventory.yml", "inventory.yaml", "inventory", "inventory.ini")


def read_inventory(paths: Sequence[Path], machine_files: Sequence[Path] = ()) -> Inventory:
    """One inventory from several files, and those of the Vagrantfile's machines.

    Raises:
        UsageError: a file has a fault, told with its file, line and key.
    """
    gathered = Gathered()
    # By directory: whether an Ansible inventory stands there. Its files may speak of any inventory's groups.
    directories: Dict[Path, bool] = {}
    for path in paths:
        directories[path.parent] = read_one(gathered, path) or directories.get(path.parent, False)
    for file in machine_files:
        machines.read_machine(gathered, file)
    for directory, foreign in directories.items():
        read_beside(gathered, directory, foreign)
    return gathered.finish()


def read_one(gathered: Gathered, path: Path) -> bool:
    """One file; whether it is Ansible's."""
    text = read(path)
    at = Entry(None, path, 1, "")
    if text.startswith(VAULT):
        at.refuse("is encrypted by ansible-vault", VAULT_CURE)
    if text.startswith("#!"):
        at.refuse("is a program, and Skiff runs no inventory", EXPORT.format(file=path))
    document = yaml_of(text, path)
    if document is None:
        IniReader(gathered, path).read(text)
        return True
    if document.value is None or set(document.mapping()) & set(TOP):
        read_native(gathered, document)
        return False
    read_tree(gathered, replace(document, foreign=True))
    return True


def yaml_of(text: str, path: Path) -> Optional[Entry]:
    """The YAML document that a file is; None for INI: what is no YAML mapping, unless its ending says that it should be one."""
    if path.suffix in ENDINGS:
        return parse(text, path)
    try:
        document = parse(text, path)
    except UsageError:
        return None
    return document if document.value is None or isinstance(document.value, dict) else None


def inventory_files(home: Path, lab: Path) -> List[Path]:
    """The inventory of the repository and that of the running lab, as far as they are there.

    A lab is root's: for anybody else it is not there.
    """
    return [path for path in (home / "hosts.yml", lab) if os.access(path, os.R_OK)]


def inventory_file(given: Path) -> Path:
    """The file that --inventory names; of a directory, the first with an inventory's name.

    Raises:
        UsageError: the directory has none.
    """
    if not given.is_dir():
        return given
    found = [given / name for name in NAMES if (given / name).is_file()]
    if not found:
        raise UsageError(f"{given}: holds no inventory", resolution=f"its name should be one of {', '.join(NAMES)}")
    return found[0]
