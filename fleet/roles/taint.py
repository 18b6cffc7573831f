"""Finds where a host's secrets went in what its roles returned, handed on whole or revealed and put into a text."""

from __future__ import annotations

from typing import AbstractSet, Any, Iterator, Mapping, Tuple, Union

from fleet.content import Content
from fleet.secret import Secret

# A shorter text may stand in another by chance, and is followed only as long as it is handed on whole.
SHORTEST = 8

Path = Tuple[Union[str, int], ...]


class Taint:
    """The secrets that roles have been given so far; the set grows as they read variables."""

    def __init__(self, secrets: AbstractSet[Secret]) -> None:
        self._secrets = secrets

    def of_text(self, text: str) -> bool:
        """Whether a text holds a secret."""
        return any(len(one.reveal()) >= SHORTEST and one.reveal() in text for one in self._secrets)

    def of_content(self, content: Content) -> bool:
        """Whether bytes hold a secret; a file's, which is there before any role is asked, do not."""
        if content.secret or not isinstance(content.source, bytes):
            return content.secret
        data = content.source
        return any(len(one.reveal()) >= SHORTEST and one.reveal().encode() in data for one in self._secrets)

    def paths(self, value: Any, above: Path = ()) -> Iterator[Path]:
        """The keys and indices that lead to each secret in nested mappings and lists."""
        if isinstance(value, Secret) or (isinstance(value, str) and self.of_text(value)):
            yield above
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.paths(item, (*above, str(key)))
        elif isinstance(value, (list, tuple)):
            for number, item in enumerate(value):
                yield from self.paths(item, (*above, number))
