"""Signals by name and number."""

from __future__ import annotations

from skiff.errors import InvalidInput

NAMES = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
    "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
)  # fmt: skip
SIGKILL = NAMES.index("KILL") + 1
SIGTERM = NAMES.index("TERM") + 1
LAST = 64


def number(text: str) -> int:
    """15, TERM and SIGTERM are the same."""
    if text.isascii() and text.isdigit() and 0 <= int(text) <= LAST:
        return int(text)
    name = text.upper()
    if name.startswith("SIG"):
        name = name[3:]
    if name not in NAMES:
        raise InvalidInput(f"unknown signal {text!r}")
    return NAMES.index(name) + 1
