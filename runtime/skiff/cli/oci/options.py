"""Reads runc's kind of command line: flags before and after the command, then arguments."""

from __future__ import annotations

from skiff.errors import InvalidInput, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What a flag is: it stands alone, takes a value, does what this runtime does anyway, or is refused with a reason.
FLAG, VALUE, ACCEPTED, REFUSED = "flag", "value", "accepted", "refused"
LATER = "is not supported by this version of skiff-oci: leave it out"


def parse(arguments: Sequence[str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Flags by their long name, and the rest from the first argument on that is no flag."""
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        name = SHORT.get(name, name)
        kind = known.get(name)
        if kind is None:
            raise InvalidInput(f"unknown flag {word}; see skiff-oci --help")
        if kind == REFUSED:
            raise Unsupported(f"--{name} {LATER}")
        if kind == VALUE and not equals:
            if not rest:
                raise InvalidInput(f"--{name} needs a value")
            value = rest.pop(0)
        found[name] = value if kind == VALUE else "true"
    return found, rest


SHORT = {"b": "bundle", "f": "force", "a": "all", "q": "quiet", "d": "detach", "h": "help", "v": "version"}


def one(arguments: Sequence[str], what: str = "container id") -> str:
    """The only argument."""
    if len(arguments) != 1:
        raise InvalidInput(f"exactly one argument is wanted: the {what}")
    return arguments[0]
