"""Reads inventories: a YAML file, with the group_vars/ and host_vars/ directories beside it; several files make one inventory.

inventory/hosts.yml            vars, hosts, groups
inventory/group_vars/<g>.yml   settings of a group (or of `all`), over those in hosts.yml
inventory/host_vars/<h>.yml    settings of a host, over those in hosts.yml
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from fleet.inventory import settings
from fleet.inventory.document import Entry, load, suggestion
from fleet.inventory.model import ALL, Group, Inventory

TOP = ("vars", "hosts", "groups")
GROUP = ("hosts", "children", "vars")


class Reader:
    """Gathers files into one inventory. Each method raises UsageError for a fault in what it reads."""

    def __init__(self) -> None:
        self.hosts: Dict[str, Dict[str, Entry]] = {}
        self.defined: Dict[str, Entry] = {}
        self.groups: Dict[str, Group] = {}
        self.everywhere: Dict[str, Entry] = {}
        self.mentions: List[Tuple[str, Entry]] = []

    def read(self, path: Path) -> None:
        """One file and the directories beside it."""
        top = load(path).mapping(TOP)
        if "vars" in top:
            self.everywhere.update(self._settings(top["vars"]))
        if "hosts" in top:
            for name, entry in top["hosts"].mapping().items():
                self._define(name, entry)
        if "groups" in top:
            for name, entry in top["groups"].mapping().items():
                self._group(name, entry)
        self._beside(path.parent)

    def _settings(self, entry: Entry, of_host: bool = False) -> Dict[str, Entry]:
        found = entry.mapping()
        settings.split(found)
        if "address" in found and not of_host:
            found["address"].refuse("an address belongs to one host")
        return dict(found)

    def _define(self, name: str, entry: Entry) -> None:
        settings.check_name(name, entry, "host")
        if name == ALL:
            entry.refuse("'all' names all hosts and can be no host's name")
        if name in self.defined:
            entry.refuse(f"host {name!r} is defined twice; the first time at {self.defined[name].place}")
        self.defined[name] = entry
        self.hosts[name] = self._settings(entry, of_host=True)

    def _group(self, name: str, entry: Entry) -> None:
        settings.check_name(name, entry, "group")
        if name == ALL:
            entry.refuse("'all' holds all hosts by itself", "settings of all hosts stand under the top-level key 'vars'")
        if name in self.groups:
            entry.refuse(f"group {name!r} is defined twice; the first time at {self.groups[name].entry.place}")
        group = self.groups[name] = Group(name, entry)
        keys = entry.mapping(GROUP)
        if "hosts" in keys:
            group.hosts = self._group_hosts(keys["hosts"])
        if "children" in keys:
            for child in keys["children"].sequence():
                group.children.append(child.string())
        if "vars" in keys:
            group.settings.update(self._settings(keys["vars"]))

    def _group_hosts(self, entry: Entry) -> List[str]:
        if isinstance(entry.value, dict):
            for name, host in entry.value.items():
                self._define(name, host)
            return list(entry.value)
        names = entry.sequence()
        self.mentions += [(name.string(), name) for name in names]
        return [name.string() for name in names]

    def _beside(self, directory: Path) -> None:
        for path in sorted((directory / "group_vars").glob("*.yml")):
            found = self._settings(load(path))
            if path.stem == ALL:
                self.everywhere.update(found)
            elif path.stem in self.groups:
                self.groups[path.stem].settings.update(found)
            else:
                Entry(None, path, 1, "").refuse(f"there is no group {path.stem!r}", suggestion(path.stem, self.groups))
        for path in sorted((directory / "host_vars").glob("*.yml")):
            if path.stem not in self.hosts:
                Entry(None, path, 1, "").refuse(f"there is no host {path.stem!r}", suggestion(path.stem, self.hosts))
            self.hosts[path.stem].update(self._settings(load(path), of_host=True))

    def finish(self) -> Inventory:
        """The inventory, once every name is known to be defined and no group holds itself."""
        for name, entry in self.mentions:
            if name not in self.hosts:
                entry.refuse(f"host {name!r} is not defined", suggestion(name, self.hosts))
        for name, group in self.groups.items():
            if name in self.hosts:
                group.entry.refuse(f"{name!r} is a host too", f"the host is defined at {self.defined[name].place}")
            for child in group.children:
                if child not in self.groups:
                    group.entry.refuse(f"its child {child!r} is no group", suggestion(child, self.groups))
        for name in self.groups:
            self._refuse_cycle(name, ())
        return Inventory(self.hosts, self.groups, self.everywhere)

    def _refuse_cycle(self, name: str, above: Tuple[str, ...]) -> None:
        if name in above:
            self.groups[name].entry.refuse(f"the group holds itself: {' > '.join((*above[above.index(name) :], name))}")
        for child in self.groups[name].children:
            self._refuse_cycle(child, (*above, name))


def read_inventory(paths: Sequence[Path]) -> Inventory:
    """One inventory from several files.

    Raises:
        UsageError: a file has a fault, told with its file, line and key.
    """
    reader = Reader()
    for path in paths:
        reader.read(path)
    return reader.finish()


def inventory_files(home: Path, lab: Path) -> List[Path]:
    """The inventory of the repository and that of the running lab, as far as they are there.

    A lab is root's: for anybody else it is not there.
    """
    return [path for path in (home / "hosts.yml", lab) if os.access(path, os.R_OK)]
