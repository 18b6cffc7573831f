"""Reads runc's kind of command line: flags before and after the command, then arguments."""

from __future__ import annotations

from skiff.errors import InvalidInput, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What a flag is: it stands alone, takes a value, takes one each time, or is refused with a reason. A word that begins with = is an
# alias of another flag.
FLAG, VALUE, LIST, REFUSED = "flag", "value", "list", "refused"
LATER = "is not supported by this version of skiff-oci: leave it out"
_BETWEEN = "\0"
_TRUE, _FALSE = ("true", "1", "t"), ("false", "0", "f")
_HELP = ("help", "h")


class HelpWanted(Exception):
    """Somebody asked for help."""


class Misuse(InvalidInput):
    """The command line is wrong, whatever it is about."""


def parse(arguments: Sequence[str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Flags by their long name, and the rest from the first argument on that is no flag."""
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        if known.get(name, "").startswith("="):
            name = known[name][1:]
        kind = known.get(name)
        if kind is None and name in _HELP:
            raise HelpWanted
        if kind is None:
            raise Misuse(f"unknown flag {word}; see skiff-oci --help")
        if kind == REFUSED:
            raise Unsupported(f"--{name} {LATER}")
        if kind == FLAG:
            _switch(found, name, value if equals else "true")
            continue
        if not equals:
            if not rest:
                raise Misuse(f"--{name} needs a value")
            value = rest.pop(0)
        found[name] = f"{found[name]}{_BETWEEN}{value}" if kind == LIST and name in found else value
    return found, rest


def _switch(found: dict[str, str], name: str, value: str) -> None:
    if value in _TRUE:
        found[name] = "true"
    elif value in _FALSE:
        found.pop(name, None)
    else:
        raise Misuse(f"--{name}={value}: true or false")


def many(flags: Mapping[str, str], name: str) -> list[str]:
    """All values of a LIST."""
    return flags[name].split(_BETWEEN) if name in flags else []


def number(flags: Mapping[str, str], name: str) -> int:
    """A VALUE that is a number; 0 if it is not given."""
    text = flags.get(name, "0")
    if not (text.isascii() and text.isdigit()):
        raise Misuse(f"--{name} {text}: a number is wanted")
    return int(text)


def one(arguments: Sequence[str], what: str = "container id") -> str:
    """The only argument."""
    if len(arguments) != 1:
        raise Misuse(f"exactly one argument is wanted: the {what}")
    return arguments[0]


def none(arguments: Sequence[str]) -> None:
    """No argument."""
    if arguments:
        raise Misuse(f"{arguments[0]!r}: no argument is wanted")
