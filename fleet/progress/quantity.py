"""How many of what, in words."""

from __future__ import annotations


def quantity(number: int, noun: str) -> str:
    """`1 host`, but `2 hosts`: for nouns that take an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
