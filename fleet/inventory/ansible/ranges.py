"""The hosts that a word of an Ansible inventory names: `web[01:20:2].example.com:2222` is ten hosts with a port."""

from __future__ import annotations

import re
import string
from typing import List, Optional, Sequence, Tuple

MOST = 100_000
PORT = re.compile(r"(?P<host>(?:[^:\[\]]|\[[^\]]*\])*):(?P<port>[0-9]+)\Z")
BRACKETED = re.compile(r"\[(?P<host>.+)\]:(?P<port>[0-9]+)\Z")
RANGE = re.compile(r"\[([^\]]*)\]")


def hosts(word: str) -> Tuple[List[str], Optional[int]]:
    """The names, and the port if one is given.

    Raises:
        ValueError: a range is faulty, told in words.
    """
    port = None
    for form in (BRACKETED, PORT):
        match = form.match(word)
        if match:
            word, port = match["host"], int(match["port"])
            break
    return expanded(word), port


def expanded(word: str) -> List[str]:
    """The names that a word with ranges stands for."""
    names = [""]
    end = 0
    for match in RANGE.finditer(word):
        names = product(names, [word[end : match.start()]])
        names = product(names, sequence(match[1]))
        end = match.end()
    return product(names, [word[end:]])


def product(heads: Sequence[str], tails: Sequence[str]) -> List[str]:
    """Every head with every tail."""
    if len(heads) * len(tails) > MOST:
        raise ValueError(f"names more than {MOST} hosts")
    return [head + tail for head in heads for tail in tails]


def sequence(bounds: str) -> Sequence[str]:
    """What `first:last` or `first:last:step` counts through: numbers, with leading zeros where the first has them, or letters."""
    parts = bounds.split(":")
    if len(parts) not in (2, 3):
        raise ValueError(f"the range [{bounds}] should be [first:last] or [first:last:step]")
    first, last, step = parts[0] or "0", parts[1], parts[2] if len(parts) == 3 else "1"
    if not (step.isdecimal() and int(step)):
        raise ValueError(f"the range [{bounds}] has no number above 0 as its step")
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        found: Sequence[str] = letters[letters.index(first) : letters.index(last) + 1 : int(step)]
    elif first.isdecimal() and last.isdecimal():
        width = len(first) if first[0] == "0" and len(first) > 1 else 0
        if width and len(last) != width:
            raise ValueError(f"the range [{bounds}] should have its ends equally long")
        numbers = range(int(first), int(last) + 1, int(step))
        if len(numbers) > MOST:
            raise ValueError(f"the range [{bounds}] names more than {MOST} hosts")
        found = [str(number).zfill(width) for number in numbers]
    else:
        raise ValueError(f"the range [{bounds}] should run between two numbers or two letters")
    if not found:
        raise ValueError(f"the range [{bounds}] is empty")
    return list(found)
