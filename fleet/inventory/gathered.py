"""What has been read of an inventory so far, from one file or several, of Skiff's form and Ansible's; made whole at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Tuple

from fleet.inventory import settings
from fleet.inventory.ansible import variables
from fleet.inventory.document import Entry, joined, suggestion
from fleet.inventory.model import ALL, Group, Inventory

UNGROUPED = "ungrouped"


class Gathered:
    """Hosts, groups and settings. Each method raises UsageError for a fault in what it is given."""

    def __init__(self) -> None:
        self.hosts: Dict[str, Dict[str, Entry]] = {}
        self.defined: Dict[str, Entry] = {}
        self.groups: Dict[str, Group] = {}
        self.everywhere = Group(ALL, Entry(None, None, 0, ""))
        self.mentions: List[Tuple[str, Entry]] = []
        self.warnings: List[str] = []

    def define_host(self, name: str, entry: Entry, found: Mapping[str, Entry]) -> None:
        """A host of Skiff's form, which is defined once."""
        settings.check_name(name, entry, "host")
        if name == ALL:
            entry.refuse("'all' names all hosts and can be no host's name")
        if name in self.defined:
            entry.refuse(f"host {name!r} is defined twice; the first time at {self.defined[name].place}")
        self.defined[name] = entry
        self.hosts[name] = dict(found)

    def add_host(self, name: str, entry: Entry, found: Mapping[str, Entry], group: str, port: Optional[int]) -> None:
        """A host of Ansible's form, which may be named several times; the first time counts for a port in its name."""
        if name not in self.hosts:
            at = replace(entry, foreign=True)
            self.define_host(
                name, at, {} if port is None else {"ansible_port": replace(at, value=port, key=joined(at.key, "ansible_port"))}
            )
        self.hosts[name].update(found)
        if group != ALL and name not in self.groups.setdefault(group, Group(group, entry)).hosts:
            self.groups[group].hosts.append(name)

    def add_group(self, name: str, entry: Entry) -> None:
        """A group of Ansible's form, which may be named several times."""
        if name != ALL and name not in self.groups:
            settings.check_name(name, entry, "group")
            self.groups[name] = Group(name, entry)

    def add_child(self, parent: str, name: str, entry: Entry) -> None:
        """A group below another; below `all`, every group is."""
        if name == ALL:
            entry.refuse("'all' is above all groups")
        self.add_group(name, entry)
        if parent != ALL and name not in self.groups[parent].children:
            self.groups[parent].children.append(name)

    def set_group(self, group: str, name: str, value: Entry) -> None:
        """A variable of a group of Ansible's form."""
        target = self.everywhere if group == ALL else self.groups[group]
        if name == "ansible_group_priority":
            target.priority = variables.priority(value)
        else:
            target.settings[name] = value

    def finish(self) -> Inventory:
        """The inventory, once every name is known to be defined and no group holds itself."""
        for name, entry in self.mentions:
            if name not in self.hosts:
                entry.refuse(f"host {name!r} is not defined", suggestion(name, self.hosts))
        for name, group in self.groups.items():
            if name in self.hosts and self.defined[name].foreign:
                self.warnings.append(f"{group.entry.place}: {name!r} is a host too; where hosts are chosen it means the group")
            elif name in self.hosts:
                group.entry.refuse(f"{name!r} is a host too", f"the host is defined at {self.defined[name].place}")
            for child in group.children:
                if child not in self.groups:
                    group.entry.refuse(f"its child {child!r} is no group", suggestion(child, self.groups))
        cycle = find_cycle(self.groups)
        if cycle:
            self.groups[cycle[0]].entry.refuse(f"the group holds itself: {' > '.join((*cycle, cycle[0]))}")
        self._settle_ungrouped()
        inventory = Inventory(self.hosts, self.groups, self.everywhere)
        inventory.warnings = [*self.warnings, *variables.warnings(inventory.variables())]
        return inventory

    def _settle_ungrouped(self) -> None:
        """Ansible's group of those that are in no other."""
        foreign = [name for name, entry in self.defined.items() if entry.foreign]
        if not foreign:
            return
        grouped = {name for group in self.groups.values() if group.name != UNGROUPED for name in group.hosts}
        alone = [name for name in foreign if name not in grouped]
        if UNGROUPED in self.groups or alone:
            self.groups.setdefault(UNGROUPED, Group(UNGROUPED, self.defined[foreign[0]])).hosts = alone


def find_cycle(groups: Mapping[str, Group]) -> Optional[List[str]]:
    """Groups each of which holds the next, and the last the first; None if there are none."""
    done = set()
    for start in groups:
        path: List[str] = []
        waiting = [(start, False)]
        while waiting:
            name, left = waiting.pop()
            if left:
                done.add(path.pop())
            elif name in path:
                return path[path.index(name) :]
            elif name not in done:
                path.append(name)
                waiting.append((name, True))
                waiting += [(child, False) for child in reversed(groups[name].children)]
    return None
