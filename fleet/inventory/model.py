"""Hosts and groups, and how a host's settings are merged: all < group < host < command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Set, Tuple

from fleet.inventory import settings
from fleet.inventory.document import Entry, suggestion
from fleet.inventory.settings import Settings

ALL = "all"


@dataclass(frozen=True)
class Host:
    """One host, settled: how to reach it, and its variables with the place where each was set.

    `address` and what is None is looked up in ~/.ssh/config by `address`.
    """

    name: str
    address: str
    port: Optional[int] = None
    user: Optional[str] = None
    identity_file: Optional[Path] = None
    known_hosts: Optional[Path] = None
    become: Optional[bool] = None
    connection: str = "ssh"
    variables: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Where it is, as a person would be told."""
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{where} port {self.port}" if self.port else where


@dataclass
class Group:
    """A named set of hosts, with the groups below it."""

    name: str
    entry: Entry
    hosts: List[str] = field(default_factory=list)
    children: List[str] = field(default_factory=list)
    settings: Dict[str, Entry] = field(default_factory=dict)


class Inventory:
    """All hosts and groups that were read.

    Built by `fleet.inventory.load`, which has checked that every name is defined and no group holds itself.
    """

    def __init__(self, hosts: Mapping[str, Settings], groups: Mapping[str, Group], everywhere: Settings) -> None:
        self._hosts = hosts
        self._groups = groups
        self._everywhere = everywhere

    @property
    def names(self) -> List[str]:
        """Every host's name, in the order of the files."""
        return list(self._hosts)

    @property
    def groups(self) -> List[str]:
        """Every group's name."""
        return list(self._groups)

    def members(self, group: str) -> Set[str]:
        """The names of a group's hosts, with those of the groups below it."""
        if group == ALL:
            return set(self._hosts)
        found = self._groups[group]
        return set(found.hosts).union(*(self.members(child) for child in found.children))

    def groups_of(self, host: str) -> List[Group]:
        """The groups that hold a host: those above before those below, siblings by name."""
        holding = [group for name, group in self._groups.items() if host in self.members(name)]
        return sorted(holding, key=lambda group: (self._depth(group.name), group.name))

    def _depth(self, name: str) -> int:
        return max((1 + self._depth(group.name) for group in self._groups.values() if name in group.children), default=0)

    def host(self, name: str, extra: Settings) -> Host:
        """A host of the inventory with its merged settings."""
        merged = dict(self._everywhere)
        for group in self.groups_of(name):
            merged.update(group.settings)
        merged.update(self._hosts[name])
        return settle(name, {**merged, **extra})

    def literal(self, name: str, address: str, port: Optional[int], user: Optional[str], extra: Settings) -> Host:
        """A host that stands in no file: what is given, over the settings of all hosts."""
        given = {"address": address, "port": port, "user": user}
        entries = {key: Entry(value, None, 0, f"{name}.{key}") for key, value in given.items() if value is not None}
        return settle(name, {**self._everywhere, **entries, **extra})

    def variables(self) -> Iterator[Tuple[str, Entry]]:
        """Every role variable that is set anywhere, whether or not its host is chosen."""
        for levels in ([self._everywhere], (g.settings for g in self._groups.values()), self._hosts.values()):
            for level in levels:
                yield from settings.split(level)[1].items()

    def explain(self, name: str) -> str:
        """Help with a name that is neither a host nor a group; nothing where there are none."""
        return suggestion(name, {ALL, *self._hosts, *self._groups}) if self._hosts else ""


def settle(name: str, merged: Settings) -> Host:
    """A host from its merged settings.

    Raises:
        UsageError: a connection setting is of the wrong form.
    """
    connection, variables = settings.split(merged)
    values = {key: entry.value for key, entry in connection.items()}
    return Host(
        name=name,
        address=values.get("address", name),
        port=values.get("port"),
        user=values.get("user"),
        identity_file=settings.path_of(connection["identity_file"]) if "identity_file" in connection else None,
        known_hosts=settings.path_of(connection["known_hosts"]) if "known_hosts" in connection else None,
        become=values.get("become"),
        connection=values.get("connection", "ssh"),
        variables=variables,
    )
