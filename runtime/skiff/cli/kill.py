"""`skiff kill`: send a signal to containers."""

from __future__ import annotations

from skiff.cli import options
from skiff.cli.each import each
from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "kill [OPTIONS] CONTAINER [CONTAINER...]",
    "Send a signal to running containers",
    (("-s, --signal", "text", "SIGNAL", "name or number (KILL)"),),
    "skiff kill web\nskiff kill -s HUP web",
    least=1,
    most=None,
)


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Signal each."""
    client, query = http.Client(host), http.query(signal=values.get("signal"))
    return each(arguments, lambda name: client.call("POST", f"/containers/{http.quote(name)}/kill{query}"))
