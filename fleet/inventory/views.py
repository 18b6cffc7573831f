"""An inventory as it is looked at: hosts, the tree of groups, and where each setting of a host comes from."""

from __future__ import annotations

import json
import re
from typing import Any, Collection, Dict, Iterator, Mapping

from fleet.inventory.ansible.variables import FOLLOWED
from fleet.inventory.document import Entry, shown
from fleet.inventory.model import ALL, Group, Inventory
from fleet.inventory.nodes import Vaulted
from fleet.inventory.settings import CONNECTION_KEYS
from fleet.secret import Reference

SECRET = re.compile(r"(?i)pass(wd|word|phrase)?\Z|secret|token|api[_-]?key|credential|auth\Z")
HIDDEN = "<not shown>"
LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # user and password before an address's host: a proxy's, it may be


def listing(inventory: Inventory, names: Collection[str]) -> Dict[str, Any]:
    """Hosts with how they would be reached and their groups; nothing is checked, so that every inventory can be looked at."""
    found = {}
    for name in names:
        merged = inventory.merged(name)
        reach = {key: entry.plain() for key, entry in merged.items() if key in CONNECTION_KEYS and not entry.foreign}
        reach.update({ours: merged[key].plain() for key, ours in FOLLOWED.items() if key in merged and merged[key].foreign})
        groups = [group.name for group in inventory.groups_of(name)]
        found[name] = {
            "address": str(reach.get("address", name)),
            **{key: reach.get(key) for key in ("port", "user")},
            "connection": str(reach.get("connection", "ssh")),
            "groups": groups,
        }
    return found


def list_lines(hosts: Mapping[str, Any]) -> Iterator[str]:
    """A line a host, in columns."""
    rows = [(name, target(host), ",".join(host["groups"])) for name, host in hosts.items()]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    for name, where, groups in rows:
        yield one_line(f"{name:<{widths[0]}}  {where:<{widths[1]}}  {groups}").rstrip()


def target(host: Mapping[str, Any]) -> str:
    """Where a host is, as --hosts would have it."""
    if host["connection"] == "local":
        return "local"
    address = f"[{host['address']}]" if host["port"] and ":" in host["address"] else host["address"]
    return (f"{host['user']}@" if host["user"] else "") + address + (f":{host['port']}" if host["port"] else "")


def tree(inventory: Inventory, names: Collection[str]) -> Dict[str, Any]:
    """The groups that hold any of the hosts, each with its own hosts and those groups below it."""
    chosen = set(names)
    grouped = {name for group in inventory.groups.values() for name in group.hosts}
    alone = [name for name in inventory.names if name in chosen and name not in grouped]
    top = Group(ALL, Entry(None, None, 0, ""), alone, inventory.roots)
    whole = chosen == set(inventory.names)

    def branch(group: Group) -> Dict[str, Any]:
        below = [inventory.groups[name] for name in group.children if whole or inventory.members(name) & chosen]
        own = [name for name in group.hosts if name in chosen]
        return {"children": {child.name: branch(child) for child in below}, "hosts": own}

    return {ALL: branch(top)}


def graph_lines(groups: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """The tree in the form of `ansible-inventory --graph`."""
    for name, group in groups.items():
        yield f"{indent}@{name}:" if not indent else f"{indent[:-2]}--@{name}:"
        yield from graph_lines(group["children"], f"{indent or '  '}|  ")
        for host in group["hosts"]:
            yield f"{indent or '  '}|--{host}"


def variables(inventory: Inventory, names: Collection[str]) -> Dict[str, Any]:
    """Every setting of hosts, with the file and line where it was set; those named like secrets without their value."""
    return {
        name: {key: {"value": hidden(key, entry.plain()), **place(entry)} for key, entry in sorted(inventory.merged(name).items())}
        for name in names
    }


def place(entry: Entry) -> Dict[str, Any]:
    """Where a value was set."""
    return {"file": str(shown(entry.file)) if entry.file else None, "line": entry.line}


def hidden(name: str, value: Any) -> Any:
    """A value as it may be shown."""
    if isinstance(value, dict):
        return {key: hidden(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(name, item) for item in value]
    if isinstance(value, (Vaulted, Reference)):
        return str(value)
    if SECRET.search(name) and value is not None:
        return HIDDEN
    return LOGIN.sub(HIDDEN, value) if isinstance(value, str) else value


def variable_lines(hosts: Mapping[str, Any]) -> Iterator[str]:
    """A block a host, a line a setting: its name, its value, where it was set."""
    for host, settings in hosts.items():
        yield host
        texts = {name: one_line(word(setting["value"])) for name, setting in settings.items()}
        widths = max(map(len, texts), default=0), min(max(map(len, texts.values()), default=0), 60)
        for name, setting in settings.items():
            yield f"  {name:<{widths[0]}}  {texts[name]:<{widths[1]}}  {setting['file']}:{setting['line']}"


def word(value: Any) -> str:
    """A value for a person."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def one_line(text: str) -> str:
    """A text that moves no cursor."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
