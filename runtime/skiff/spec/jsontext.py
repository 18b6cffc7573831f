"""JSON by the C half of the standard library's json: the other half loads re and enum, which takes as long as Python's own start.

What this half does not take at once goes to json itself, so the values and the errors are json's.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_SPACE = " \t\n\r"


class _Context:
    """What the scanner wants to be told: json's own defaults."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float  # of NaN, Infinity and -Infinity


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_scan = make_scanner(_Context)  # type: ignore[arg-type]  # typeshed has the scanner itself there
_encoders = [
    make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", in_order, False, True) for in_order in (False, True)
]


def loads(data: str | bytes) -> Any:  # json's own
    """json.loads; ValueError or RecursionError."""
    try:
        text = data if isinstance(data, str) else data.decode()
        value, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
        if not text[end:].strip(_SPACE):
            return value
    except (ValueError, StopIteration, SystemError):  # the last where json, whose error it would raise, is not loaded
        pass
    import json

    return json.loads(data)


def dumps(value: object, *, sort_keys: bool = False) -> str:
    """json.dumps."""
    return "".join(_encoders[sort_keys](value, 0))
