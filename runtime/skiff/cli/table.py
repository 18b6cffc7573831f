"""Tables as Docker prints them: columns three blanks apart, and how old things are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table with its head; the last column is not padded."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (heads, *rows)]
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes in decimal units with three digits, as Docker shows sizes."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g}PB"


def binary_size(count: float) -> str:
    """Bytes in binary units with four digits, as Docker shows memory."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024:
            return f"{count:.4g}{unit}"
        count /= 1024
    return f"{count:.4g}PiB"


def shorten(text: str, width: int = 20) -> str:
    """The text cut to a width, its last place a dot for what is missing."""
    return text if len(text) <= width else text[: width - 1] + "…"


def short_id(identity: str) -> str:
    """Twelve digits, without the algorithm."""
    return identity.rpartition(":")[2][:12]
