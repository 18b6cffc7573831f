"""Does one thing to each of several containers: names that succeed are printed, errors told, the rest goes on."""

from __future__ import annotations

import sys

from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def each(names: list[str], act: Callable[[str], object]) -> int:
    """0 if all went well, else 1."""
    return max([_one(name, act) for name in names], default=0)


def _one(name: str, act: Callable[[str], object]) -> int:
    try:
        act(name)
    except http.DaemonError as error:
        sys.stdout.flush()
        print(f"Error response from daemon: {error}", file=sys.stderr)
        return 1
    print(name)
    return 0
