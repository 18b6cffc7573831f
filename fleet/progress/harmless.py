"""What hosts and programs said, made fit to be shown: characters that would steer a terminal or break a document become visible."""

from __future__ import annotations

import re

# Controls but tab and newline, what turns the direction of writing, line separators, lone surrogates, and what XML cannot hold.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def harmless(text: str) -> str:
    """The text with such characters escaped; its lines stay lines."""
    return STEERING.sub(escaped, text.replace("\r\n", "\n"))


def on_one_line(text: str) -> str:
    """The text so that it forges no line of another host."""
    return " ".join(harmless(text).split("\n"))


def escaped(match: re.Match[str]) -> str:
    """One character as Python would write it."""
    return match[0].encode("unicode_escape").decode()
