"""Whole numbers among a task's options: Invoke would answer a word with a traceback."""

from __future__ import annotations

from fleet.errors import UsageError


def whole(option: str, text: str, least: int) -> int:
    """An option's number.

    Raises:
        UsageError: it is none, or less than the least that makes sense.
    """
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{option}: should be a whole number of at least {least}, not {text!r}")
    return int(text)
