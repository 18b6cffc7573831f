"""Skiff's own form of an inventory: one YAML file with `vars`, `hosts` and `groups`."""

from __future__ import annotations

from typing import Dict, List

from fleet.inventory import settings
from fleet.inventory.document import Entry
from fleet.inventory.gathered import Gathered
from fleet.inventory.model import ALL, Group

TOP = ("vars", "hosts", "groups")
GROUP = ("hosts", "children", "vars")


def read_native(gathered: Gathered, document: Entry) -> None:
    """One document.

    Raises:
        UsageError: it has a fault, told with its line and key.
    """
    top = document.mapping(TOP)
    if "vars" in top:
        gathered.everywhere.settings.update(settings_of(top["vars"]))
    if "hosts" in top:
        for name, entry in top["hosts"].mapping().items():
            gathered.define_host(name, entry, settings_of(entry, of_host=True))
    if "groups" in top:
        for name, entry in top["groups"].mapping().items():
            read_group(gathered, name, entry)


def settings_of(entry: Entry, of_host: bool = False) -> Dict[str, Entry]:
    """Checked settings of a host, a group or all hosts."""
    found = entry.mapping()
    settings.split(found)
    if "address" in found and not of_host:
        found["address"].refuse("an address belongs to one host")
    return dict(found)


def read_group(gathered: Gathered, name: str, entry: Entry) -> None:
    """A group, which is defined once."""
    settings.check_name(name, entry, "group")
    if name == ALL:
        entry.refuse("'all' holds all hosts by itself", "settings of all hosts stand under the top-level key 'vars'")
    if name in gathered.groups:
        entry.refuse(f"group {name!r} is defined twice; the first time at {gathered.groups[name].entry.place}")
    group = gathered.groups[name] = Group(name, entry)
    keys = entry.mapping(GROUP)
    if "hosts" in keys:
        group.hosts = group_hosts(gathered, keys["hosts"])
    if "children" in keys:
        group.children = [child.string() for child in keys["children"].sequence()]
    if "vars" in keys:
        group.settings.update(settings_of(keys["vars"]))


def group_hosts(gathered: Gathered, entry: Entry) -> List[str]:
    """The names of a group's hosts; a mapping defines them there."""
    if isinstance(entry.value, dict):
        for name, host in entry.value.items():
            gathered.define_host(name, host, settings_of(host, of_host=True))
        return list(entry.value)
    names = entry.sequence()
    gathered.mentions += [(name.string(), name) for name in names]
    return [name.string() for name in names]
