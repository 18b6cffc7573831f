"""A value that nothing shows by accident, and an inventory's reference to one. Pure data: `fleet.secrets` fetches it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NoReturn, Tuple

SOURCES = ("age", "env", "command")


class Secret:
    """A text that is told only by `reveal`. Put into a text it raises TypeError, lest a placeholder become a host's password."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The value itself."""
        return self._text

    def __repr__(self) -> str:
        return "(secret)"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret is not put into a text by itself: hand it to a template or a JsonFile whole, or reveal() it")

    def __format__(self, _: str) -> NoReturn:
        str(self)
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass(frozen=True, repr=False)
class Reference:
    """Where a secret comes from: an age-encrypted text, a variable of the environment, or a command's words and its `timeout`.

    Equal references are fetched once a run. `place` is the file, line and key where it stands.
    """

    source: str
    value: Tuple[str, ...]
    timeout: float = 0.0
    place: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"(secret: {self.source})"


def references(value: Any) -> Iterator[Reference]:
    """The references in nested mappings and lists."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from references(item)


def holds_secret(value: Any) -> bool:
    """Whether there is a secret in nested mappings and lists."""
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_secret, value))
    return isinstance(value, Secret)


def revealed(value: Any) -> Any:
    """The same with each secret's text in its place."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [revealed(item) for item in value]
    return value
