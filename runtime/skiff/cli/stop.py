"""`skiff stop`: ask containers to end, and end them when their time is over."""

from __future__ import annotations

from skiff.cli import options
from skiff.cli.each import each
from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "stop [OPTIONS] CONTAINER [CONTAINER...]",
    "Stop running containers",
    (("-t, --time", "number", "SECONDS", "how long to wait before SIGKILL (10); -1 for ever"),),
    "skiff stop web\nskiff stop -t 60 database",
    least=1,
    most=None,
)


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Stop each."""
    client, query = http.Client(host), http.query(t=values.get("time"))
    return each(arguments, lambda name: client.call("POST", f"/containers/{http.quote(name)}/stop{query}"))
