"""The variables that a role declares in its defaults.yml, and the checked values that its functions read."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Set, Tuple, Union

from fleet.content import Content
from fleet.errors import FleetError, UsageError
from fleet.rpm import Rpm
from fleet.secret import Reference, Secret, references

TYPES = ("string", "integer", "boolean", "strings", "mapping", "secret")
HOLDERS = "only a variable of the type secret, and what is in one of the types strings and mapping, can be a secret"


@dataclass(frozen=True)
class Variable:
    """One entry of a defaults.yml.

    `type` is one of string, integer, boolean, strings (a list of strings), mapping, secret; `choices` restricts a string.
    Where secrets may be, values hold `Reference`s until a role reads them.
    """

    name: str
    role: str
    type: str
    default: Any
    help: str
    choices: Tuple[str, ...] = ()

    def fault(self, value: object) -> Optional[str]:
        """What is wrong with a value, or None. A secret's is not shown."""
        if self.type == "secret":
            fits = value is None or isinstance(value, Reference) or (isinstance(value, str) and bool(value))
            return None if fits else "should be a secret: {secret: {env: NAME}}, or of age, or of a command"
        if self.type == "strings":
            fits = isinstance(value, list) and all(isinstance(item, (str, Reference)) for item in value)
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
        if not fits and isinstance(value, Reference):
            return f"should be {form}, not a secret; {HOLDERS}"
        if not fits:
            return f"should be {form}, not {value!r}"
        if self.choices and value not in self.choices:
            return f"should be one of {', '.join(self.choices)}, not {value!r}"
        return None


class Variables:
    """Merged and checked values, read by type: all < group < host < command line.

    The names `bundle`, `bundle_version`, `succession` (what the bundle can follow) and `probe_images` (by architecture) are the
    run's own: what was built for it. So is `rpms`: the packages that the control machine has for the host. A secret is fetched
    when it is read; `secrets` are those that were.
    """

    def __init__(self, values: Mapping[str, Any], fetch: Optional[Callable[[Reference], Secret]] = None) -> None:
        self._values = values
        self._fetch = fetch
        self.secrets: Set[Secret] = set()

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
        """A list of strings, in order.

        Raises:
            UsageError: the inventory has a secret among them, which this reader does not take.
        """
        for item in self._values[name]:
            if isinstance(item, Reference):
                raise UsageError(f"{item.place}: no secret can be used here", resolution=f"{name} takes texts in clear")
        return tuple(self._values[name])

    def strings_and_secrets(self, name: str) -> Tuple[Union[str, Secret], ...]:
        """A list of strings, in order; with a `Secret` where the inventory has one."""
        return tuple(self._fetched(self._values[name]))

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A mapping with string keys; with a `Secret` where the inventory has one."""
        value = self._fetched(self._values[name])
        assert isinstance(value, Mapping)
        return value

    def secret(self, name: str) -> Optional[Secret]:
        """A secret; None where none is set. One that stands in a file in clear is handled with the same care.

        Raises:
            FleetError: it cannot be fetched.
        """
        value = self._values[name]
        found = self._fetched(Secret(value) if isinstance(value, str) else value)
        assert found is None or isinstance(found, Secret)
        return found

    def _fetched(self, value: Any) -> Any:
        """A value with its references replaced by their secrets."""
        if isinstance(value, Reference):
            assert self._fetch is not None
            value = self._fetch(value)
        if isinstance(value, Secret):
            self.secrets.add(value)
        elif isinstance(value, Mapping):
            return {key: self._fetched(item) for key, item in value.items()}
        elif isinstance(value, (list, tuple)):
            return [self._fetched(item) for item in value]
        return value

    def fetch_all(self) -> None:
        """Fetches what was not read yet, so that what a host says can be searched for it; what cannot be had is left out."""
        for reference in references(self._values):
            with contextlib.suppress(FleetError):
                self._fetched(reference)

    def content(self, name: str) -> Content:
        """Something built for this run."""
        value = self._values[name]
        assert isinstance(value, Content)
        return value

    def rpms(self) -> Tuple[Rpm, ...]:
        """The packages that the control machine sends to the host; none where its repositories have them."""
        return tuple(self._values.get("rpms", ()))

    def as_dict(self) -> Mapping[str, Any]:
        """All values, for showing; secrets are not fetched."""
        return dict(self._values)
