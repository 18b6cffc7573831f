"""One change of the base config.json, as data: what is put where, and what is expected of it."""

from __future__ import annotations

import copy
import json
from typing import Any, Dict, NamedTuple, Tuple


class Gone:
    """In place of a value: the key is taken out."""


GONE = Gone()


class Mutation(NamedTuple):
    """`patch` has dotted keys; one that ends in + adds to a list.

    `refused` is what our message must name, for the value is bad; `perhaps` is the same where that depends on the machine.
    In the texts `{bundle}`, `{source}`, `{cgroup}` and `{holder}` stand for the bundle, a directory with a mount in it, the
    cgroup above the container's, and the /proc directory of a process in namespaces of its own.
    """

    name: str
    patch: Dict[str, Any]
    refused: str = ""
    flags: Tuple[str, ...] = ()
    perhaps: str = ""

    def apply(self, base: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
        """The mutated document; the base stays as it is."""
        document = copy.deepcopy(base)
        for path, value in self.patch.items():
            *parents, last = path.rstrip("+").split(".")
            inner = document
            for part in parents:
                inner = inner.setdefault(part, {})
            if value is GONE:
                inner.pop(last)
            elif path.endswith("+"):
                inner[last] = [*inner.get(last, ()), *value]
            else:
                inner[last] = value
        text = json.dumps(document)
        for name, place in places.items():
            text = text.replace("{" + name + "}", place)
        placed: dict[str, Any] = json.loads(text)
        return placed
