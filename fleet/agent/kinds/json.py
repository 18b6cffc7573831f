"""A JSON object on the host into which values are merged at the top level; what Skiff does not name is kept."""

import os

from fleet.agent import notation, pattern
from fleet.agent.change import Change
from fleet.agent.document import Document
from fleet.agent.errors import AgentError
from fleet.agent.forecast import FILE, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs, told of the keys as well as of the text."""
    text, old = _read(want["path"], host)
    new = _merged(want, old)
    change = _document(want, text, old, new).compare(host)
    keys = sorted(key for key in set(old) | set(new) if key not in old or key not in new or old[key] != new[key])
    if change is not None and keys:
        change.summary += ": " + ", ".join(keys)
    if change is not None and not set(keys) <= set(want["reloadable"]):
        change.also.append(want["id"] + "#restart")
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Write the merged object."""
    text, old = _read(want["path"], host)
    _document(want, text, old, _merged(want, old)).write(change, host)


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The file will be there."""
    forecast.paths[want["path"]] = FILE


def _read(path: str, host: "Host") -> "Tuple[bytes, Dict[str, Any]]":
    if not os.path.isfile(path) or host.forecast.takes(path):
        return b"", {}
    with open(path, "rb") as stream:
        text = stream.read()
    if not text.strip():
        return text, {}
    try:
        found = notation.loads(text.decode("utf-8"), _unique)
    except (RecursionError, ValueError) as error:
        raise AgentError(
            "{} is not JSON; it was kept".format(path), str(error), "correct it or move it away, then run again"
        ) from error
    if not isinstance(found, dict):
        raise AgentError("{} is not a JSON object; it was kept".format(path), "", "correct it or move it away, then run again")
    return text, found


def _unique(pairs: "list[Tuple[str, Any]]") -> "Dict[str, Any]":
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError("a key is there twice: {}".format(next(name for name in names if names.count(name) > 1)))
    return found


def _merged(want: "Dict[str, Any]", old: "Dict[str, Any]") -> "Dict[str, Any]":
    new = {key: value for key, value in old.items() if key not in want["remove"]}
    new.update(want["values"])
    return new


def _document(want: "Dict[str, Any]", text: bytes, old: "Dict[str, Any]", new: "Dict[str, Any]") -> Document:
    """The file's text as it should be: untouched where the object is, else in the indentation that it had."""
    data = text if new == old and text.strip() else _dumped(new, text)
    fields = ("mode", "owner", "group", "backup", "secret", "validate")
    document = Document(want["path"], data=data, **{name: want[name] for name in fields})
    document.shown = lambda: _shown(want, text, old, new)
    return document


def _shown(
    want: "Dict[str, Any]", text: bytes, old: "Dict[str, Any]", new: "Dict[str, Any]"
) -> "Optional[Tuple[Optional[bytes], bytes]]":
    """Both texts without secrets, or None where there are none."""
    from fleet.agent.masked import MISSING, masked  # a run without changes shows nothing

    shown = masked(old, old, want["secrets"]), masked(new, old if text.strip() else MISSING, want["secrets"])
    if shown == (old, new):
        return None
    return _dumped(shown[0], text) if text.strip() else None, _dumped(shown[1], text)


def _dumped(value: "Dict[str, Any]", like: bytes) -> bytes:
    """The object as text, in the indentation of another text."""
    import json  # slow to import, and nothing that a run without changes needs

    found = pattern.search(rb"(?m)^([ \t]+)\"", like)
    indent = len(found.group(1).replace(b"\t", b"    ")) if found else 2
    return json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
