"""Reads request bodies and query values, refusing what is malformed in dockerd's words where it has some."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

from skiff.api import messages
from skiff.errors import InvalidInput, SkiffError

MAX_DOCUMENT = 4 << 20
# ASCII, and never more than 64 bits: int() takes more spellings, and numbers that no clock or system call does.
DIGITS = re.compile(r"[0-9]{1,18}\Z")
NUMBER = re.compile(r"[+-]?[0-9]{1,18}\Z")


async def document(request: messages.Request) -> dict[str, Any]:
    """The JSON object of the body."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != messages.JSON:
        raise InvalidInput(f"Content-Type specified ({kind}) must be 'application/json'")
    text = await request.content(MAX_DOCUMENT)
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_no_json)
        if b"\\u" in text:
            # JSON can spell half of a character; no file, terminal or system call takes one.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise InvalidInput("invalid JSON: the body is not UTF-8") from None
    except RecursionError:
        raise InvalidInput("invalid JSON: nested too deep") from None
    except ValueError as error:
        raise InvalidInput(
            f"invalid JSON: {error}" if text.strip() else "invalid JSON: got EOF while reading request body"
        ) from None
    if not isinstance(value, dict):
        raise InvalidInput("invalid JSON: the body must be an object")
    return value


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a document that is an object, or empty."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{name}: must be an object")
    return value


def number(request: messages.Request, name: str, default: int) -> int:
    """A whole number of the query."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not NUMBER.match(text):
        raise InvalidInput(f'{name}: "{text}" is not a number')
    return int(text)


def filters(request: messages.Request, known: frozenset[str]) -> dict[str, list[str]]:
    """The filters of the query: {"label": ["a=b"]}, or {"label": {"a=b": true}} as older clients write them."""
    text = request.query.get("filters", "")
    if not text:
        return {}
    try:
        value = json.loads(text)
    except RecursionError:
        raise SkiffError("invalid filters: nested too deep") from None
    except ValueError as error:
        raise SkiffError(f"invalid filters: {error}") from None
    if not isinstance(value, dict) or not all(isinstance(items, (list, dict)) for items in value.values()):
        raise InvalidInput("filters: must be an object of lists")
    for name in value:
        if name not in known:
            raise InvalidInput(f"Invalid filter '{name}'")
    # One without values asks for nothing.
    return {name: [str(item) for item in items] for name, items in value.items() if items}
