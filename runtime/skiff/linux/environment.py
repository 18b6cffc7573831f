"""The environment as this process was given it: Python adds a locale to its own (PEP 538)."""

from __future__ import annotations


def given() -> dict[bytes, bytes]:
    """Name to value."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.partition(b"=")[::2] for entry in entries if entry)
