"""The variables that a role declares in its defaults.yml, and the checked values that its functions read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Tuple


@dataclass(frozen=True)
class Variable:
    """One entry of a defaults.yml.

    `type` is one of string, integer, boolean, strings (a list of strings), mapping; `choices` restricts a string.
    """

    name: str
    role: str
    type: str
    default: Any
    help: str
    choices: Tuple[str, ...] = ()


class Variables:
    """Merged and checked values, read by type: all < group < host < command line."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def string(self, name: str) -> str:
        """A string's value."""
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def integer(self, name: str) -> int:
        """An integer's value."""
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def boolean(self, name: str) -> bool:
        """A boolean's value."""
        value = self._values[name]
        assert isinstance(value, bool)
        return value

    def strings(self, name: str) -> Tuple[str, ...]:
        """A list of strings, in order."""
        return tuple(self._values[name])

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A mapping with string keys."""
        value = self._values[name]
        assert isinstance(value, Mapping)
        return value

    def as_dict(self) -> Mapping[str, Any]:
        """All values, for showing."""
        return dict(self._values)
