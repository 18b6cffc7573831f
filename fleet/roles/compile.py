"""Turns what roles return into what goes over the wire: resources and probes as plain dictionaries, contents by their digest."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import AbstractSet, Any, Dict, Iterable, List, Mapping, Sequence, Set, Tuple, Union, get_args
from weakref import WeakValueDictionary

from fleet.checks import Probe
from fleet.content import Content
from fleet.errors import UsageError
from fleet.resources import Command, File, Handler, JsonFile, Repository, Resource, Template, Unit
from fleet.roles.taint import Taint
from fleet.roles.templates import render
from fleet.secret import Secret, holds_secret, revealed

Wire = Dict[str, Any]

KINDS = get_args(Resource)
# The fields that may hold a secret: all others are seen by people and processes.
HOLDING = {"values", "variables", "options"}

RARE = {"look", "given", "patience", "unit"}

# What many hosts want is held once, and no longer than one of them needs it.
SHARED: WeakValueDictionary[str, Content] = WeakValueDictionary()


class Compiler:
    """Compiles one host's resources and probes, and gathers the contents that they name.

    `secrets` are those that its roles have read; `secret_contents` the digests of the contents that hold any. On the wire the mark
    `secret` says that a file's content does; a JSON file's `secrets` are the keys that lead to them in its values.
    """

    def __init__(self, secrets: AbstractSet[Secret] = frozenset()) -> None:
        self.secrets = secrets
        self._taint = Taint(secrets)
        self.resources: List[Wire] = []
        self.probes: List[Wire] = []
        self.contents: Dict[str, Content] = {}
        self.secret_contents: Set[str] = set()
        self._owners: Dict[str, str] = {}
        self._references: List[Tuple[str, str, str]] = []

    def add_role(self, role: str, templates: Path, items: Sequence[Union[Resource, Handler]], probes: Sequence[Probe]) -> None:
        """All that one role returned.

        Raises:
            UsageError: a resource is declared twice, a template is faulty, or a secret is where others would see it.
        """
        for item in items:
            resource = item.resource if isinstance(item, Handler) else item
            if not isinstance(resource, KINDS):
                raise UsageError(f"role {role}: resources() should give resources and handlers, not {type(resource).__name__}")
            self._refuse_secrets(role, resource)
            self._add(role, templates, item)
        for probe in probes:
            if not isinstance(probe, Probe):
                raise UsageError(f"role {role}: probes() should give probes, not {type(probe).__name__}")
            self._refuse_secrets(role, probe)
            # Two roles may use the same word: on the wire a probe carries its role's name.
            wire = {**self.plain(probe), "name": f"{role}/{probe.name}"}
            # What a plain command has not is left out: these travel in every run.
            self.probes.append({key: value for key, value in wire.items() if value or key not in RARE})

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
        if isinstance(resource, Unit) and not resource.settled:
            del wire["settled"]  # few units have one
        self._mark(role, resource, wire)
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

    def _mark(self, role: str, resource: Resource, wire: Wire) -> None:
        """Says in a resource's wire form what of it is secret.

        Raises:
            UsageError: it is a file that others than its owner could read.
        """
        if isinstance(resource, JsonFile):
            wire["secrets"] = [list(path) for path in self._taint.paths(resource.values)]
            secret = wire["secret"] = bool(wire["secrets"])
        elif isinstance(resource, Repository):
            wire["secret"] = resource.secret or any(True for _ in self._taint.paths(resource.options))
            return
        elif isinstance(resource, File):
            secret = wire["secret"] = resource.secret or (wire["content"] or {}).get("sha256") in self.secret_contents
        else:
            if isinstance(resource, Command):
                wire["secret"] = (wire["stdin"] or {}).get("sha256") in self.secret_contents
            return
        if secret and not resource.shared and int(resource.mode, 8) & 0o077:
            raise UsageError(
                f"role {role}: {resource.id} holds a secret, and its mode {resource.mode} lets others at it",
                resolution="give it mode='0600'; or shared=True beside the mode, if its group or all users are to read it",
            )

    def refuse_dangling(self) -> None:
        """Refuses a resource that listens to one that is not there. Only a run of all roles can tell."""
        for role, listener, name in self._references:
            if name.partition("#")[0] not in self._owners:
                raise UsageError(f"role {role}: {listener} listens to {name}, which no role declares")

    def plain(self, item: Union[Resource, Probe]) -> Wire:
        """A dataclass's fields as JSON would hold them; the contents in it are kept aside."""
        name = item.name if isinstance(item, Probe) else item.id
        values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
        if isinstance(item, JsonFile):
            values["values"] = revealed(item.values)
        if isinstance(item, Repository):
            values["options"] = revealed(item.options)
        return {field: self._value(value, f"{name}: {field}") for field, value in values.items()}

    def _refuse_secrets(self, role: str, item: Union[Resource, Probe]) -> None:
        """Refuses a secret where the host would show it: in a process list, a path, the name of a unit."""
        values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item) if field.name not in HOLDING}
        found = [field for field, value in values.items() if any(True for _ in self._taint.paths(value))]
        if found:
            naming = next(iter(values))
            # A resource that is named by a secret is not named here.
            which = "" if naming in found else f" {values[naming]}"
            raise UsageError(
                f"role {role}: {type(item).__name__}{which}: {found[0]} holds a secret, which others on the host could see there",
                resolution="a secret belongs into the variables of a Template, the values of a JsonFile or a Content",
            )

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, Content):
            self.contents[value.sha256] = SHARED.setdefault(value.sha256, value)
            if self._taint.of_content(value):
                self.secret_contents.add(value.sha256)
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
    content = Content.of(render(directory, template.template, template.variables))
    # Whatever the template does with them: encoded, they are found by nobody.
    content = dataclasses.replace(content, secret=holds_secret(template.variables))
    return File(
        path=template.path,
        content=content,
        mode=template.mode,
        owner=template.owner,
        group=template.group,
        backup=template.backup,
        secret=template.secret,
        shared=template.shared,
        validate=template.validate,
    )
