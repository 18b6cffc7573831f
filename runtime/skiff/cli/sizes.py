"""Sizes and counts as people type them: 32m, 1.5g, 0.5 CPUs."""

from __future__ import annotations

from skiff.cli import options

UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
NANO = 1_000_000_000


def size(text: str, option: str) -> int:
    """Bytes; a bare number is bytes, units are binary, -1 is no limit."""
    if text == "-1":
        return -1
    word = text.lower()
    for tail in ("ib", "b"):  # 64m, 64mb and 64MiB are the same
        if word.endswith(tail) and word[: -len(tail)][-1:] in ("k", "m", "g", "t"):
            word = word[: -len(tail)]
            break
    unit = UNITS.get(word[-1:], 0)
    try:
        value = float(word[:-1]) * unit if unit else float(int(word))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1 << 63:
        raise options.UsageError(
            f'invalid argument "{text}" for "{option}" flag: invalid size: \'{text}\'; write it like 32m or 1g'
        )
    return int(value)


def cpus(text: str) -> int:
    """Billionths of a CPU."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1 << 20:
        raise options.UsageError(f'invalid argument "{text}" for "--cpus" flag: write a number such as 0.5')
    return round(value * NANO)
