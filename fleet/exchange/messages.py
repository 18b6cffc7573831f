"""The forms of the agent's messages (docs/exchange.md): what a host says is held against them before anybody else hears it.

A host may be in other hands. What it says is to cost itself the run, and must not make the control side stumble over one host and
leave all the others.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

from fleet.errors import HostError

Form = Callable[[object], bool]

# Seconds since 1970 and bytes are below it; neither an infinity nor what is no number is.
LARGEST = 1e18
DEEPEST = 8


def text(value: object) -> bool:
    """A string."""
    return isinstance(value, str)


def flag(value: object) -> bool:
    """True or false."""
    return isinstance(value, bool)


def whole(value: object) -> bool:
    """An integer."""
    return isinstance(value, int) and not flag(value) and -LARGEST < value < LARGEST


def number(value: object) -> bool:
    """An integer or another finite number."""
    return whole(value) or (isinstance(value, float) and -LARGEST < value < LARGEST)


def moment(value: object) -> bool:
    """Seconds since 1970, of a year with four digits."""
    return number(value) and 0 <= value < 2e11  # type: ignore[operator] # it is one


def nothing(value: object) -> bool:
    """Null."""
    return value is None


def among(*words: str) -> Form:
    """One of some words."""
    return lambda value: isinstance(value, str) and value in words


def either(*forms: Form) -> Form:
    """Of one of some forms."""
    return lambda value: any(form(value) for form in forms)


def many(form: Form) -> Form:
    """An array of such."""
    return lambda value: isinstance(value, list) and all(map(form, value))


def fields(**forms: Form) -> Form:
    """An object with these fields and no others."""
    return lambda value: isinstance(value, dict) and value.keys() == forms.keys() and all(forms[key](value[key]) for key in forms)


def document(value: object, depth: int = DEEPEST) -> bool:
    """An object whose fields somebody else looks at."""
    return isinstance(value, dict) and plain(value, depth)


def plain(value: object, depth: int) -> bool:
    """A value that is no deeper than this."""
    if isinstance(value, (dict, list)):
        return depth > 0 and all(plain(item, depth - 1) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, (str, bool, type(None))) or number(value)


ERROR = fields(brief=text, details=text, resolution=text)
CHANGE = fields(id=text, role=text, handler=flag, action=text, summary=text, diff=text, fingerprint=text)
UNCHECKED = fields(id=text, role=text, error=ERROR)
MOVED = fields(id=text, role=text, why=among("met", "new", "differs", "unknown"), summary=text)
PROBE = fields(name=text, status=whole, stdout=text, stderr=text, seconds=number)
COPY = fields(
    run=text, at=moment, path=text, type=among("file", "link"), original=flag, role=text,
    mode=either(text, nothing), target=either(text, nothing),
)  # fmt: skip
RESULT = {
    "id": text, "role": text, "handler": flag, "summary": text, "diff": text, "seconds": number, "backup": either(text, nothing),
}  # fmt: skip

FORMS: Dict[str, Form] = {
    "hello": fields(type=text, protocol=whole, cached=flag, facts=document),
    "waiting": fields(type=text, holder=document),
    "need": fields(type=text, sha256=many(text)),
    "plan": fields(type=text, changes=many(CHANGE), errors=many(UNCHECKED)),
    "moved": fields(type=text, resources=many(MOVED)),
    "begin": fields(type=text, id=text, role=text),
    "result": either(
        fields(type=text, **RESULT, status=among("ok", "changed", "skipped"), error=nothing),
        fields(type=text, **RESULT, status=among("failed"), error=ERROR),
    ),
    "probes": fields(type=text, results=many(PROBE)),
    "copies": fields(type=text, copies=many(COPY)),
    "reboot": fields(
        type=text, boot=text, reasons=many(text), containers=many(text), error=either(ERROR, nothing),
    ),
    "done": fields(
        type=text, changed=whole, failed=whole, skipped=whole, interrupted=flag,
        reboot=many(text), left=many(fields(id=text, why=text, over=flag)),
    ),
    "fatal": fields(type=text, error=ERROR),
}  # fmt: skip


def understood(message: Dict[str, Any]) -> Dict[str, Any]:
    """The message, if it is of its form.

    Raises:
        HostError: it is not.
    """
    form = FORMS.get(message["type"])
    if form is None or not form(message):
        brief = "the agent sent a message that is not of the protocol"
        raise HostError(brief, repr(message)[:200], "look at the host: something else may speak there in the agent's name")
    return message
