"""What the suite says when something is wrong: one brief sentence, the details, and the way out."""

from __future__ import annotations

from typing import Tuple, Type


class FleetError(Exception):
    """A failure told to a person: what happened, the details behind it, what to do about it."""

    def __init__(self, brief: str, details: str = "", resolution: str = "") -> None:
        self.brief = brief
        self.details = details
        self.resolution = resolution
        super().__init__("\n".join(part for part in (brief, details, resolution) if part))

    def __reduce__(self) -> Tuple[Type[FleetError], Tuple[str, str, str]]:
        # An exception's own way would give the whole text as the brief.
        return type(self), (self.brief, self.details, self.resolution)


class UsageError(FleetError):
    """Wrong usage of a task or a faulty inventory, role or variable: exit status 1, nothing was connected to."""


class UnreachableError(FleetError):
    """A host that could not be connected to or authenticated with: exit status 3 when only such hosts failed."""


class HostError(FleetError):
    """A host that was reached and on which something failed: exit status 2."""
