"""Hosts and groups, and how a host's settings are merged: all < group < host < command line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from fleet.inventory import settings
from fleet.inventory.ansible import arguments
from fleet.inventory.ansible.variables import refuse_other_user
from fleet.inventory.document import Entry, suggestion
from fleet.inventory.settings import Settings
from fleet.secret import Reference

ALL = "all"


@dataclass(frozen=True)
class Host:
    """One host, settled: how to reach it, and its variables with the place where each was set.

    `address` and what is None is looked up in ~/.ssh/config by `address`; `ssh_options` are lines that come before its own. Its
    passwords are fetched when they are needed.
    """

    name: str
    address: str
    port: Optional[int] = None
    user: Optional[str] = None
    identity_file: Optional[Path] = None
    known_hosts: Optional[Path] = None
    become: Optional[bool] = None
    connection: str = "ssh"
    ssh_password: Optional[Reference] = None
    key_passphrase: Optional[Reference] = None
    become_password: Optional[Reference] = None
    ssh_options: Tuple[str, ...] = ()
    variables: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Where it is, as a person would be told."""
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{where} port {self.port}" if self.port else where


@dataclass
class Group:
    """A named set of hosts, with the groups below it.

    `beside` holds what files beside an Ansible inventory set: all of it comes after all that the inventory itself says.
    """

    name: str
    entry: Entry
    hosts: List[str] = field(default_factory=list)
    children: List[str] = field(default_factory=list)
    settings: Dict[str, Entry] = field(default_factory=dict)
    beside: Dict[str, Entry] = field(default_factory=dict)
    priority: int = 1


class Inventory:
    """All hosts and groups that were read; `all` is a group like the others, and holds every host.

    Built by `fleet.inventory.load`, which has checked that every name is defined and no group holds itself.
    """

    def __init__(self, hosts: Mapping[str, Settings], groups: Mapping[str, Group], everywhere: Group) -> None:
        self._hosts = hosts
        self._groups = groups
        self._everywhere = everywhere
        self.warnings: Sequence[str] = ()
        # Each is worked out once: a fleet has thousands of hosts.
        self._members: Dict[str, Set[str]] = {ALL: set(hosts)}
        self._depths: Dict[str, int] = {}
        self._of_host: Dict[str, List[Group]] = {name: [] for name in hosts}
        for name in self._downward():
            group = groups[name]
            for child in group.children:
                self._depths[child] = max(self._depths[child], self._depths[name] + 1)
        for name in reversed(self._downward()):
            self._members[name] = set(groups[name].hosts).union(*(self._members[child] for child in groups[name].children))
        for group in sorted(groups.values(), key=lambda group: (self._depths[group.name], group.priority, group.name)):
            for name in self._members[group.name]:
                self._of_host[name].append(group)

    def _downward(self) -> List[str]:
        """The groups' names, each after all groups that hold it."""
        holders = Counter(child for group in self._groups.values() for child in set(group.children))
        ready = [name for name in self._groups if not holders[name]]
        for name in ready:
            self._depths.setdefault(name, 1)
            for child in dict.fromkeys(self._groups[name].children):
                self._depths.setdefault(child, 1)
                holders[child] -= 1
                if not holders[child]:
                    ready.append(child)
        return ready

    @property
    def names(self) -> List[str]:
        """Every host's name, in the order of the files."""
        return list(self._hosts)

    @property
    def groups(self) -> Mapping[str, Group]:
        """Every group by name, but for `all`."""
        return self._groups

    @property
    def roots(self) -> List[str]:
        """The names of the groups that no other group holds."""
        return [name for name in self._groups if self._depths[name] == 1]

    def members(self, group: str) -> Set[str]:
        """The names of a group's hosts, with those of the groups below it."""
        return self._members[group]

    def groups_of(self, host: str) -> List[Group]:
        """The groups that hold a host: those above before those below, siblings by priority and name."""
        return self._of_host[host]

    def merged(self, name: str) -> Dict[str, Entry]:
        """A host's settings under the names that the files use."""
        merged = dict(self._everywhere.settings)
        for group in self.groups_of(name):
            merged.update(group.settings)
        merged.update(self._everywhere.beside)
        for group in self.groups_of(name):
            merged.update(group.beside)
        merged.update(self._hosts[name])
        return merged

    def host(self, name: str, extra: Settings) -> Host:
        """A host of the inventory with its merged settings."""
        return settle(name, self.merged(name), extra)

    def literal(self, name: str, address: str, port: Optional[int], user: Optional[str], extra: Settings) -> Host:
        """A host that stands in no file: what is given, over the settings of all hosts."""
        given = {"address": address, "port": port, "user": user}
        entries = {key: Entry(value, None, 0, f"{name}.{key}") for key, value in given.items() if value is not None}
        common = {**self._everywhere.settings, **self._everywhere.beside}
        return settle(name, common, {**entries, **extra})

    def variables(self) -> Iterator[Tuple[str, Entry]]:
        """Every role variable that is set anywhere, whether or not its host is chosen."""
        groups = [self._everywhere, *self._groups.values()]
        for level in (*(group.settings for group in groups), *(group.beside for group in groups), *self._hosts.values()):
            yield from ((name, entry) for name, entry in level.items() if entry.foreign or name not in settings.CONNECTION_KEYS)

    def explain(self, name: str) -> str:
        """Help with a name that is neither a host nor a group; nothing where there are none."""
        return suggestion(name, {ALL, *self._hosts, *self._groups}) if self._hosts else ""


def settle(name: str, merged: Settings, extra: Settings) -> Host:
    """A host from its merged settings and those of the command line.

    Raises:
        UsageError: a connection setting is of the wrong form, or leads where Skiff cannot follow.
    """
    given, variables = settings.split(merged)
    over, more = settings.split(extra)
    connection, variables = {**given, **over}, {**variables, **more}
    values = {key: entry.plain() for key, entry in connection.items()}
    refuse_other_user(variables)
    return Host(
        name=name,
        address=values.get("address", name),
        port=values.get("port"),
        user=values.get("user"),
        identity_file=settings.path_of(connection["identity_file"]) if "identity_file" in connection else None,
        known_hosts=settings.path_of(connection["known_hosts"]) if "known_hosts" in connection else None,
        become=values.get("become"),
        connection=values.get("connection", "ssh"),
        ssh_password=values.get("ssh_password"),
        key_passphrase=values.get("key_passphrase"),
        become_password=values.get("become_password"),
        ssh_options=() if values.get("connection") == "local" else arguments.lines(variables),
        variables=variables,
    )
