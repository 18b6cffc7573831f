"""Resources in the form that they have on the wire, made from the suite's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional, Sequence, Union

from fleet.content import Content
from fleet.resources import Command, JsonFile, Package, Resource


def wire(
    resource: Resource,
    role: str = "role",
    listens: Optional[Sequence[str]] = None,
    secrets: Sequence[Sequence[Union[str, int]]] = (),
) -> Dict[str, Any]:
    """A resource as `desired` carries it; its contents, if any, ride along under `_content` and `_files`."""
    fields: Dict[str, Any] = {field.name: getattr(resource, field.name) for field in dataclasses.fields(resource)}
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    place = "stdin" if isinstance(resource, Command) else "content"
    content: Union[Content, None] = fields.get(place)
    if content is not None:
        fields[place] = {"sha256": content.sha256, "size": content.size}
    if isinstance(resource, Command):
        fields["secret"] = content is not None and content.secret
    fields.update(kind=resource.kind, id=resource.id, role=role, handler=listens is not None, _content=content)
    if isinstance(resource, Package):
        fields["files"] = {name: {"sha256": file.sha256, "size": file.size} for name, file in resource.files.items()}
        fields["_files"] = list(resource.files.values())
    if isinstance(resource, JsonFile):
        fields["secret"] = bool(secrets)
        fields["secrets"] = [list(path) for path in secrets]
    if listens is not None:
        fields["listens"] = list(listens)
    return fields


def handler(command: Command, listens: Sequence[str], role: str = "role") -> Dict[str, Any]:
    """A handler on the wire."""
    return wire(command, role, listens)


def content(text: str) -> Content:
    """A text's content."""
    return Content.of(text.encode())
