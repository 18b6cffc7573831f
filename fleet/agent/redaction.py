"""Takes the secrets of a desired state out of whatever is said or recorded, in the forms in which programs print them."""

import base64
import json

from fleet.agent import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

HIDDEN = "(secret)"
PLAIN = 8  # plain characters in a row that give a secret away, if they are half of it
SHORTEST = 4  # a shorter text is no secret, and would be found everywhere
# What a message is understood by. None of these can hold a secret: it would have been refused.
STRUCTURE = {"type", "id", "role", "name", "action", "status", "sha256"}


class Redaction:
    """Replaces each of the texts, the longest first, for one may hold another."""

    def __init__(self, texts: "Iterable[str]") -> None:
        found = {form for text in texts for form in _forms(text)}
        self._forms = sorted(found, key=len, reverse=True)

    def __call__(self, value: "Any") -> "Any":
        """A message or any part of one, without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (list, tuple)):
            return [self(item) for item in value]
        if isinstance(value, dict):
            return {key: item if key in STRUCTURE else self(item) for key, item in value.items()}
        return value

    def text(self, text: str) -> str:
        """A text without secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text


def _forms(text: str) -> "Iterator[str]":
    """A secret as it is, its lines, its plain part, and how JSON, repr, base64, hexadecimal and URLs write them."""
    from urllib.parse import quote, quote_plus

    # Whatever a program escapes (for a shell, XML, INI), it leaves the plain characters as they are.
    plain = max(pattern.findall("[A-Za-z0-9_-]+", text), key=len, default="")
    telling = [plain] if len(plain) >= max(PLAIN, len(text) / 2) else []
    for part in {text, text.strip(), *(line.strip() for line in text.splitlines()), *telling}:
        if len(part) < SHORTEST:
            continue
        data = part.encode("utf-8", "surrogateescape")
        for form in (part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1], data.hex()):
            yield form
        yield quote(data, safe="")
        yield quote(data)
        yield quote_plus(data)
        for shift in range(3):  # where it stands in a longer text decides which characters of base64 are wholly its own
            whole = base64.b64encode(b"\0" * shift + data).decode("ascii")
            core = whole[(0, 2, 3)[shift] : len(whole) - (0, 3, 2)[(shift + len(data)) % 3]]
            if len(core) >= SHORTEST:
                yield core
                yield core.replace("+", "-").replace("/", "_")
