"""Resources in the form that they have on the wire, made from the suite's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional, Sequence, Union

from fleet.content import Content
from fleet.resources import Command, JsonFile, Resource


def wire(
    resource: Resource,
    role: str = "role",
    listens: Optional[Sequence[str]] = None,
    secrets: Sequence[Sequence[Union[str, int]]] = (),
) -> Dict[str, Any]:
    """A resource as `desired` carries it; its content, if any, rides along under `_content` for the driver."""
    fields: Dict[str, Any] = {field.name: getattr(resource, field.name) for field in dataclasses.fields(resource)}
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    place = "stdin" if isinstance(resource, Command) else "content"
    content: Union[Content, None] = fields.get(place)
    if content is not None:
        fields[place] = {"sha256": content.sha256, "size": content.size}
    if isinstance(resource, Command):
        fields["secret"] = content is not None and content.secret
    fields.update(kind=resource.kind, id=resource.id, role=role, handler=listens is not None, _content=content)
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
