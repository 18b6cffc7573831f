"""Ansible's INI inventories: hosts and their variables by line, under [group], [group:children] and [group:vars]."""

from __future__ import annotations

import ast
import math
import re
import shlex
import warnings
from pathlib import Path
from typing import Any, Dict, List, Tuple

from fleet.inventory.ansible import ranges
from fleet.inventory.document import Entry
from fleet.inventory.gathered import Gathered
from fleet.inventory.model import ALL

SECTION = re.compile(r"\[(?P<group>[^:\]\s]+)(?::(?P<state>\w+))?\]\s*(?:#.*)?\Z")
CHILD = re.compile(r"(?P<group>[^:\]\s]+)\s*(?:#.*)?\Z")
UNGROUPED = "ungrouped"


class IniReader:
    """Reads one file into what is gathered. A section of variables may stand before that of its group's hosts."""

    def __init__(self, gathered: Gathered, file: Path) -> None:
        self._gathered = gathered
        self._file = file
        self._declared = {ALL, UNGROUPED}
        self._waiting: List[Tuple[str, Entry, str]] = []

    def read(self, text: str) -> None:
        """The whole file.

        Raises:
            UsageError: a line is faulty.
        """
        group, state = UNGROUPED, "hosts"
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            at = Entry(None, self._file, number, "", foreign=True)
            header = SECTION.match(line)
            if header:
                group, state = header["group"], header["state"] or "hosts"
                self._section(group, state, at)
            elif line.startswith("[") and line.endswith("]"):
                at.refuse(f"{line} is no section", "write [group], [group:children] or [group:vars], without spaces")
            elif state == "hosts":
                self._hosts(line, group, at)
            elif state == "vars":
                name, value = self._assignment(line, at)
                self._gathered.set_group(group, name, value)
            else:
                self._child(line, group, at)
        for name, at, where in self._waiting:
            if name not in self._declared:
                at.refuse(f"{where}: there is no group {name!r}", f"declare it by a section [{name}]")

    def _section(self, group: str, state: str, at: Entry) -> None:
        if state not in ("hosts", "children", "vars"):
            at.refuse(f"[{group}:{state}] is no section", "known: [group], [group:children], [group:vars]")
        self._gathered.add_group(group, at)
        if state == "vars":
            self._waiting.append((group, at, f"[{group}:vars]"))
        else:
            self._declared.add(group)

    def _hosts(self, line: str, group: str, at: Entry) -> None:
        try:
            word, *rest = shlex.split(line, comments=True)
            names, port = ranges.hosts(word)
        except ValueError as error:
            at.refuse(f"is no line of a host: {error}")
        variables: Dict[str, Entry] = {}
        for part in rest:
            variables.update([self._assignment(part, at, spaces=False)])
        for name in names:
            self._gathered.add_host(name, at, variables, group, port)

    def _child(self, line: str, group: str, at: Entry) -> None:
        match = CHILD.match(line)
        if match is None:
            at.refuse(f"{line!r} is no group's name")
        self._waiting.append((match["group"], at, f"[{group}:children]"))
        self._gathered.add_child(group, match["group"], at)

    def _assignment(self, text: str, at: Entry, spaces: bool = True) -> Tuple[str, Entry]:
        name, equals, value = text.partition("=")
        if not equals:
            at.refuse(f"{text!r} should be name=value")
        if spaces:
            name, value = name.strip(), value.strip()
        return name, Entry(self._typed(literal(value), at, name), self._file, at.line, name, foreign=True)

    def _typed(self, value: Any, at: Entry, key: str) -> Any:
        """A Python value as the entries that a YAML document would have."""
        if isinstance(value, (list, tuple, set)):
            return [Entry(self._typed(item, at, key), self._file, at.line, key) for item in value]
        if isinstance(value, dict):
            return {
                str(name): Entry(self._typed(item, at, f"{key}.{name}"), self._file, at.line, f"{key}.{name}")
                for name, item in value.items()
            }
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def literal(text: str) -> Any:
    """The Python literal that a text is, or else the text; of numbers, those that JSON has."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text
    return text if value is ... or (isinstance(value, float) and not math.isfinite(value)) else value
