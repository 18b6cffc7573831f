"""A share of the hosts, as a count or in percent: how many are taken at a time, or may fail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.errors import UsageError

FORM = re.compile(r"(\d{1,9})(%?)\Z")


@dataclass(frozen=True)
class Share:
    """`number` hosts, or so many of a hundred."""

    number: int
    percent: bool = False

    @classmethod
    def parse(cls, option: str, text: str, least: int) -> Share:
        """An option's share.

        Raises:
            UsageError: it is none, or less than the least that makes sense.
        """
        found = FORM.match(text.strip())
        if not found or int(found[1]) < least or (found[2] and int(found[1]) > 100):
            raise UsageError(
                f"{option}: should be a number of hosts from {least} on, or percent of them (10%), not {text.strip()!r}"
            )
        return cls(int(found[1]), bool(found[2]))

    def at_most(self, total: int) -> int:
        """How many of all hosts this is; a part of one is none."""
        return self.number * total // 100 if self.percent else self.number

    def at_least(self, total: int) -> int:
        """The same; a part of one is one."""
        return -(-self.number * total // 100) if self.percent else self.number
