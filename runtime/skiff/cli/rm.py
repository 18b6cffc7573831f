"""`skiff rm`: remove containers."""

from __future__ import annotations

from skiff.cli import options
from skiff.cli.each import each
from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "rm [OPTIONS] CONTAINER [CONTAINER...]",
    "Remove containers",
    (("-f, --force", "flag", "", "also those that run: they are killed"),),
    "skiff rm web\nskiff rm -f $(skiff ps -aq)",
    least=1,
    most=None,
)


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Remove each."""
    client, query = http.Client(host), http.query(force=values.get("force"))
    return each(arguments, lambda name: client.call("DELETE", f"/containers/{http.quote(name)}{query}"))
