"""Reads a role's defaults.yml into declared variables, and checks what an inventory sets against all roles' declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Tuple

from fleet.errors import UsageError
from fleet.inventory.document import Entry, load, suggestion
from fleet.inventory.settings import CONNECTION_KEYS
from fleet.variables import TYPES, Variable

KEYS = ("type", "default", "choices", "help")
RESERVED = frozenset({*CONNECTION_KEYS, "bundle", "bundle_version", "probe_images", "rpms"})


def read_defaults(role: str, path: Path) -> Dict[str, Variable]:
    """The variables that a role declares; none if it has no defaults.yml.

    Raises:
        UsageError: the file has a fault, told with its line and key.
    """
    if not path.exists():
        return {}
    return {name: declaration(role, name, entry) for name, entry in load(path).mapping().items()}


def declaration(role: str, name: str, entry: Entry) -> Variable:
    """One declared variable."""
    if name in RESERVED:
        entry.refuse("is a name of the suite's own")
    keys = entry.mapping(KEYS)
    for needed in ("type", "default", "help"):
        if needed not in keys:
            entry.refuse(f"lacks the key {needed!r}")
    form = keys["type"].string()
    if form not in TYPES:
        keys["type"].refuse(f"should be one of {', '.join(TYPES)}, not {form!r}")
    choices = tuple(choice.string() for choice in keys["choices"].sequence()) if "choices" in keys else ()
    variable = Variable(name, role, form, keys["default"].plain(), keys["help"].string(), choices)
    fault = variable.fault(variable.default)
    if fault:
        keys["default"].refuse(fault)
    return variable


def merge(declared: Iterable[Mapping[str, Variable]]) -> Dict[str, Variable]:
    """All roles' variables in one namespace.

    Raises:
        UsageError: two roles declare the same name.
    """
    merged: Dict[str, Variable] = {}
    for variables in declared:
        for name, variable in variables.items():
            if name in merged:
                raise UsageError(f"the roles {merged[name].role} and {variable.role} both declare the variable {name!r}")
            merged[name] = variable
    return merged


def check(declared: Mapping[str, Variable], settings: Iterable[Tuple[str, Entry]]) -> None:
    """Refuses a setting that no role declares, or of the wrong type."""
    for name, entry in settings:
        if name not in declared and entry.foreign:
            continue
        if name not in declared:
            entry.refuse("no role has such a variable", suggestion(name, {*declared, *CONNECTION_KEYS}))
        entry.refuse_unreadable()
        value = entry.plain()
        fault = declared[name].fault(value)
        if fault:
            entry.refuse(fault, declared[name].help)
        if declared[name].type == "secret" and isinstance(value, str) and entry.file is None:
            entry.refuse("an argument is seen by every user of this machine", f"--set '{name}={{secret: {{env: NAME}}}}'")


def values(declared: Mapping[str, Variable], settings: Mapping[str, Entry]) -> Dict[str, Any]:
    """Every declared variable's value on a host."""
    return {name: settings[name].plain() if name in settings else variable.default for name, variable in declared.items()}
