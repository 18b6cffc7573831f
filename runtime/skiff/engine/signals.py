"""Signals by name or number, as dockerd takes them."""

from __future__ import annotations

import re
import signal

from skiff.errors import InvalidInput

# ASCII, and few: str.isdigit takes digits that int() does not.
DIGITS = re.compile(r"[0-9]{1,3}\Z")


def number(text: str) -> int:
    """The signal's number; the name may come with SIG or without, in any case."""
    if DIGITS.match(text):
        value = int(text)
        if 0 < value < signal.NSIG:
            return value
        raise InvalidInput(f"Invalid signal: {text}")
    name = text.upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    try:
        return int(signal.Signals[name])
    except KeyError:
        return _realtime(name, text)


def _realtime(name: str, text: str) -> int:
    """SIGRTMIN+3, SIGRTMAX-1."""
    for base, sign, anchor in (("SIGRTMIN+", 1, signal.SIGRTMIN), ("SIGRTMAX-", -1, signal.SIGRTMAX)):
        offset = name[len(base) :]
        if name.startswith(base) and DIGITS.match(offset):
            value = int(anchor) + sign * int(offset)
            if signal.SIGRTMIN <= value <= signal.SIGRTMAX:
                return value
    raise InvalidInput(f"Invalid signal: {text}")


def stop(text: str) -> int:
    """What asks a container to stop; SIGTERM also where its image names a signal that there is not, as dockerd has it."""
    try:
        return number(text)
    except InvalidInput:
        return int(signal.SIGTERM)
