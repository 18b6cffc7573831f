"""JSON by the interpreter's own C code, as the module json has it too: that one brings `re`, the longest of all imports.

What this code does not read is left to the module json, which says what is wrong; so is everything where an interpreter has no
such code, or has it in another form.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    Pairs = Callable[[List[Tuple[str, Any]]], Any]
    Loads = Callable[[str, Optional[Pairs]], Any]
    Dumps = Callable[[Any, bool], str]

SPACE = " \t\n\r"


class _Scanning:
    """What the scanner asks for: how the module json reads by default."""

    strict = True
    object_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float  # NaN, Infinity, -Infinity

    def __init__(self, pairs: "Optional[Pairs]") -> None:
        self.object_pairs_hook = pairs


def loads(text: str, pairs: "Optional[Pairs]" = None) -> "Any":
    """The value that a whole text is; `pairs` makes an object of its keys and values.

    Raises:
        ValueError: it is no JSON.
    """
    return _LOADS(text, pairs)


def dumps(value: "Any") -> str:
    """A value as one line, its characters as they are."""
    return _DUMPS(value, False)


def kept(value: "Any") -> bytes:
    """A value as it lies in a file: the same bytes for the same value, and in ASCII, which any locale reads back."""
    return _DUMPS(value, True).encode("ascii")


def _native() -> "Tuple[Loads, Dumps]":
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

    encode = make_encoder(None, _refuse, encode_basestring, None, ": ", ", ", False, False, True)
    encode_kept = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", True, False, True)

    def load(text: str, pairs: "Optional[Pairs]") -> "Any":
        scan = make_scanner(_Scanning(pairs))  # type: ignore[arg-type] # it asks for no more than these
        try:
            value, end = scan(text, len(text) - len(text.lstrip(SPACE)))
        except (StopIteration, SystemError, ValueError):  # it looks for its error's class in json, which is not there yet
            return _plain()[0](text, pairs)
        return _plain()[0](text, pairs) if text[end:].strip(SPACE) else value

    def dump(value: "Any", kept: bool) -> str:
        return "".join(encode_kept(value, 0) if kept else encode(value, 0))

    if dump(load(' {"a": [1, 2.5, null, "\\u00e9"]} ', None), False) != '{"a": [1, 2.5, null, "\u00e9"]}':
        raise TypeError("another form")
    return load, dump


def _refuse(value: object) -> "Any":
    raise TypeError("{} has no form in JSON".format(type(value).__name__))


def _plain() -> "Tuple[Loads, Dumps]":
    import json

    def load(text: str, pairs: "Optional[Pairs]") -> "Any":
        return json.loads(text, object_pairs_hook=pairs)

    def dump(value: "Any", kept: bool) -> str:
        return json.dumps(value, ensure_ascii=kept, sort_keys=kept)

    return load, dump


try:
    _LOADS, _DUMPS = _native()
except (AttributeError, ImportError, TypeError, ValueError):
    _LOADS, _DUMPS = _plain()
