"""JSON by the interpreter's own C scanner and encoder: the package json would cost every command 8 ms of regular expressions."""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Context:
    """What the scanner asks of a decoder."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not JSON")


_scan = _json.make_scanner(_Context())  # type: ignore[arg-type]  # it looks at these attributes only, whatever the class
_encode = _json.make_encoder(None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, True)


def load(text: str) -> Any:
    """The value of a JSON text; ValueError if it is none."""
    text = text.strip()
    try:
        return _scan(text, 0)[0]
    except StopIteration:
        raise ValueError("not JSON") from None


def dump(value: object) -> str:
    """Compact JSON, ASCII only."""
    return "".join(_encode(value, 0))
