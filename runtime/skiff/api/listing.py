"""Which containers a list shows: all or running, limit, filters."""

from __future__ import annotations

from typing import Callable, Mapping

from skiff.api import bodies, messages
from skiff.engine import engine, status
from skiff.engine.container import Container
from skiff.errors import InvalidInput

STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")


def choose(served: engine.Engine, request: messages.Request) -> list[Container]:
    """The containers that the query asks for, newest first."""
    wanted = bodies.filters(request, frozenset(_TESTS) | {"before", "since"})
    limit = bodies.number(request, "limit", 0)
    everything = request.flag("all") or limit > 0 or "status" in wanted or "exited" in wanted
    found = [
        container
        for container in served.containers.newest_first()
        if (everything or container.alive)
        and all(_TESTS[name](container, values) for name, values in wanted.items() if name in _TESTS)
    ]
    for name in ("before", "since"):
        for reference in wanted.get(name, ()):
            moment = served.containers.find(reference).record.created
            found = [c for c in found if (c.record.created < moment if name == "before" else c.record.created > moment)]
    return found[:limit] if limit > 0 else found


def _label(container: Container, values: list[str]) -> bool:
    labels: Mapping[str, str] = container.record.config["Labels"] or {}
    pairs = [value.partition("=") for value in values]
    return all(key in labels and (not separator or labels[key] == text) for key, separator, text in pairs)


def _status(container: Container, values: list[str]) -> bool:
    for value in values:
        if value not in STATUSES:
            raise InvalidInput(f"Unrecognised filter value for status: {value}")
    return container.state.status in values


def _exited(container: Container, values: list[str]) -> bool:
    if not all(value.lstrip("-").isdigit() for value in values):
        raise InvalidInput(f"Invalid filter 'exited={values[0]}'")
    return container.state.status == status.EXITED and str(container.state.exit_code) in values


def _ancestor(container: Container, values: list[str]) -> bool:
    names = (container.record.config["Image"], container.record.image, container.record.image.partition(":")[2][:12])
    return any(value in names or f"{names[0]}:latest" == value or f"{value}:latest" == names[0] for value in values)


_TESTS: Mapping[str, Callable[[Container, list[str]], bool]] = {
    "ancestor": _ancestor,
    "exited": _exited,
    "id": lambda container, values: any(container.record.id.startswith(value) for value in values),
    "label": _label,
    "name": lambda container, values: any(value.lstrip("/") in container.record.name for value in values),
    "network": lambda container, values: container.record.host_config["NetworkMode"] in values,
    "status": _status,
}
