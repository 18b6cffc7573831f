"""`skiff rmi`: remove images."""

from __future__ import annotations

import sys

from skiff.cli import options
from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "rmi [OPTIONS] IMAGE [IMAGE...]",
    "Remove images",
    (("-f, --force", "flag", "", "also those that stopped containers were made from"),),
    "skiff rmi busybox:latest",
    least=1,
    most=None,
)


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Remove each, and tell what went."""
    client, query = http.Client(host), http.query(force=values.get("force"))
    return max([_remove(client, name, query) for name in arguments], default=0)


def _remove(client: http.Client, name: str, query: str) -> int:
    try:
        events = client.call("DELETE", f"/images/{http.quote(name)}{query}")
    except http.DaemonError as error:
        sys.stdout.flush()
        print(f"Error response from daemon: {error}", file=sys.stderr)
        return 1
    for event in events:
        for what, reference in event.items():
            print(f"{what}: {reference}")
    return 0
