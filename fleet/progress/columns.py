"""Answers of several hosts side by side, line by line by their keys; one below the other where they do not fit."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Tuple

GAP = "  "

Keyed = Dict[Tuple[str, ...], str]


def side_by_side(texts: Mapping[str, str], width: int) -> Iterator[str]:
    """The texts of `key: value` lines as one table with a column for each name."""
    if len(texts) == 1:
        yield from next(iter(texts.values())).splitlines()
        return
    columns = {name: keyed(text) for name, text in texts.items()}
    keys = merged_keys(list(columns.values()))
    labels = ["  " * (len(key) - 1) + key[-1] for key in keys]
    widths = [max(map(len, [name, *column.values()])) for name, column in columns.items()]
    first = max(map(len, labels), default=0)
    if first + sum(len(GAP) + each for each in widths) > width:
        yield from stacked(texts)
        return
    yield (" " * first + "".join(GAP + name.ljust(each) for name, each in zip(columns, widths))).rstrip()
    for key, label in zip(keys, labels):
        cells = "".join(GAP + column.get(key, "").ljust(each) for column, each in zip(columns.values(), widths))
        yield (label.ljust(first) + cells).rstrip()


def stacked(texts: Mapping[str, str]) -> Iterator[str]:
    """Each text below its name."""
    for name, text in texts.items():
        yield f"{name}:"
        yield from (f"  {line}" for line in text.splitlines())


def keyed(text: str) -> Keyed:
    """A text's values by the path of their keys, which indentation draws."""
    found: Keyed = {}
    above: List[Tuple[int, str]] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        key, _, value = line.strip().partition(":")
        while above and above[-1][0] >= indent:
            above.pop()
        above.append((indent, key))
        found[tuple(name for _, name in above)] = value.strip()
    return found


def merged_keys(columns: List[Keyed]) -> List[Tuple[str, ...]]:
    """All keys, each where the first column that has it puts it."""
    merged: List[Tuple[str, ...]] = []
    for column in columns:
        place = 0
        for key in column:
            if key in merged:
                place = merged.index(key) + 1
            else:
                merged.insert(place, key)
                place += 1
    return merged
