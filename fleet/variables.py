"""The variables that a role declares in its defaults.yml, and the checked values that its functions read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from fleet.content import Content

TYPES = ("string", "integer", "boolean", "strings", "mapping")


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

    def fault(self, value: object) -> Optional[str]:
        """What is wrong with a value, or None."""
        if self.type == "strings":
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
            form = "a list of strings"
        elif self.type == "mapping":
            fits = isinstance(value, dict) and all(isinstance(key, str) for key in value)
            form = "a mapping"
        elif self.type == "integer":
            fits, form = isinstance(value, int) and not isinstance(value, bool), "an integer"
        elif self.type == "boolean":
            fits, form = isinstance(value, bool), "true or false"
        else:
            fits, form = isinstance(value, str), "a string"
        if not fits:
            return f"should be {form}, not {value!r}"
        if self.choices and value not in self.choices:
            return f"should be one of {', '.join(self.choices)}, not {value!r}"
        return None


class Variables:
    """Merged and checked values, read by type: all < group < host < command line.

    The names `bundle`, `bundle_version` and `probe_images` (by architecture) are the run's own: what was built for it.
    """

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

    def content(self, name: str) -> Content:
        """Something built for this run."""
        value = self._values[name]
        assert isinstance(value, Content)
        return value

    def as_dict(self) -> Mapping[str, Any]:
        """All values, for showing."""
        return dict(self._values)
