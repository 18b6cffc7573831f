"""Ansible's YAML inventories: groups with `hosts`, `children` and `vars`, each child group in its parent."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Optional

from fleet.inventory.ansible import ranges
from fleet.inventory.document import Entry
from fleet.inventory.gathered import Gathered

GROUP = ("hosts", "children", "vars")
EXPORT = "write out what Ansible makes of it: ansible-inventory -i {file} --list --yaml --export --output hosts.yml"


def read_tree(gathered: Gathered, top: Entry) -> None:
    """One document.

    Raises:
        UsageError: it has a fault, told with its line and key.
    """
    groups = top.mapping()
    if "plugin" in groups and not isinstance(groups["plugin"].value, dict):
        groups["plugin"].refuse("Skiff runs no inventory plugin", EXPORT.format(file=top.file))
    if "_meta" in groups:
        groups["_meta"].refuse("is what a program answers to --list, not an inventory", EXPORT.format(file=top.file))
    for name, entry in groups.items():
        read_group(gathered, name, entry, None)


def read_group(gathered: Gathered, name: str, entry: Entry, parent: Optional[str]) -> None:
    """A group, and those below it."""
    gathered.add_group(name, entry)
    if parent is not None:
        gathered.add_child(parent, name, entry)
    keys = entry.mapping(GROUP)
    for variable, value in section(keys, "vars").items():
        gathered.set_group(name, variable, replace(value, foreign=True))
    for child, value in section(keys, "children").items():
        read_group(gathered, child, value, name)
    for word, value in section(keys, "hosts").items():
        variables = {variable: replace(found, foreign=True) for variable, found in value.mapping().items()}
        try:
            names, port = ranges.hosts(word)
        except ValueError as error:
            value.refuse(str(error))
        for host in names:
            gathered.add_host(host, value, variables, name, port)


def section(keys: Dict[str, Entry], name: str) -> Dict[str, Entry]:
    """A group's hosts, children or variables; a single name may stand for itself."""
    if name not in keys:
        return {}
    entry = keys[name]
    if isinstance(entry.value, str) and name != "vars":
        return {entry.value: replace(entry, value=None)}
    return entry.mapping()
