"""Turns what roles return into what goes over the wire: resources and probes as plain dictionaries, contents by their digest."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union, get_args
from weakref import WeakValueDictionary

from fleet.checks import Probe
from fleet.content import Content
from fleet.errors import UsageError
from fleet.resources import Command, File, Handler, Resource, Template, Unit
from fleet.roles.templates import render

Wire = Dict[str, Any]

KINDS = get_args(Resource)

# What many hosts want is held once, and no longer than one of them needs it.
SHARED: WeakValueDictionary[str, Content] = WeakValueDictionary()


class Compiler:
    """Compiles one host's resources and probes, and gathers the contents that they name."""

    def __init__(self) -> None:
        self.resources: List[Wire] = []
        self.probes: List[Wire] = []
        self.contents: Dict[str, Content] = {}
        self._owners: Dict[str, str] = {}
        self._references: List[Tuple[str, str, str]] = []

    def add_role(self, role: str, templates: Path, items: Sequence[Union[Resource, Handler]], probes: Sequence[Probe]) -> None:
        """All that one role returned.

        Raises:
            UsageError: a resource is declared twice, or a template is faulty.
        """
        for item in items:
            resource = item.resource if isinstance(item, Handler) else item
            if not isinstance(resource, KINDS):
                raise UsageError(f"role {role}: resources() should give resources and handlers, not {type(resource).__name__}")
            self._add(role, templates, item)
        for probe in probes:
            if not isinstance(probe, Probe):
                raise UsageError(f"role {role}: probes() should give probes, not {type(probe).__name__}")
            # Two roles may use the same word: on the wire a probe carries its role's name.
            self.probes.append({**self.plain(probe), "name": f"{role}/{probe.name}"})

    def _add(self, role: str, templates: Path, item: Union[Resource, Handler]) -> None:
        resource = item.resource if isinstance(item, Handler) else item
        if isinstance(resource, Template):
            resource = rendered(resource, templates)
        if resource.id in self._owners:
            raise UsageError(f"role {role}: the resource {resource.id} is declared already by role {self._owners[resource.id]}")
        self._owners[resource.id] = role
        wire = {
            "kind": resource.kind,
            "id": resource.id,
            "role": role,
            "handler": isinstance(item, Handler),
            **self.plain(resource),
        }
        listens: Iterable[str] = ()
        if isinstance(item, Handler):
            wire["listens"] = list(item.listens)
            listens = item.listens
        elif isinstance(resource, Unit):
            listens = (*resource.restart_on, *resource.reload_on)
        elif isinstance(resource, Command):
            listens = resource.on_change
        self._references += [(role, resource.id, name) for name in listens]
        self.resources.append(wire)

    def refuse_dangling(self) -> None:
        """Refuses a resource that listens to one that is not there. Only a run of all roles can tell."""
        for role, listener, name in self._references:
            if name.partition("#")[0] not in self._owners:
                raise UsageError(f"role {role}: {listener} listens to {name}, which no role declares")

    def plain(self, item: Union[Resource, Probe]) -> Wire:
        """A dataclass's fields as JSON would hold them; the contents in it are kept aside."""
        name = item.name if isinstance(item, Probe) else item.id
        return {field.name: self._value(getattr(item, field.name), f"{name}: {field.name}") for field in dataclasses.fields(item)}

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, Content):
            self.contents[value.sha256] = SHARED.setdefault(value.sha256, value)
            return {"sha256": value.sha256, "size": value.size}
        if isinstance(value, Mapping):
            return {str(key): self._value(item, place) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return [self._value(item, place) for item in value]
        # The value itself stays unsaid: it may be a secret.
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{place}: should be a finite number")
        if value is not None and not isinstance(value, (str, int, float)):
            raise UsageError(f"{place}: should hold strings, numbers, true or false, not {type(value).__name__}")
        return value


def rendered(template: Template, directory: Path) -> File:
    """The file that a template becomes.

    Raises:
        UsageError: the template is faulty.
    """
    return File(
        path=template.path,
        content=Content.of(render(directory, template.template, template.variables)),
        mode=template.mode,
        owner=template.owner,
        group=template.group,
        backup=template.backup,
        secret=template.secret,
        validate=template.validate,
    )
