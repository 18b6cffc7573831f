"""`skiff ps`: the containers that run, or all."""

from __future__ import annotations

import time

from skiff.cli import options, table
from skiff.cli.version import json_wanted
from skiff.client import documents, http
from skiff.engine import ages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "ps [OPTIONS]",
    "List containers",
    (
        ("-a, --all", "flag", "", "all containers, not only those that run"),
        ("-q, --quiet", "flag", "", "identities only"),
        ("-f, --filter", "list", "NAME=VALUE", "status=, name=, label=, id=, ancestor= (repeatable)"),
        ("-n, --last", "number", "N", "the last N containers, in all states"),
        ("--no-trunc", "flag", "", "do not shorten"),
        ("--format", "text", "json", "one JSON document a line"),
    ),
    "skiff ps\nskiff ps -a --filter status=exited\nskiff ps -q --no-trunc",
)
HEADS = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")


def run(host: str, values: dict[str, Any], _arguments: list[str]) -> int:
    """Print the list."""
    wants_json = json_wanted(values)
    filters: dict[str, list[str]] = {}
    for item in values.get("filter", ()):
        name, separator, value = item.partition("=")
        if not separator:
            raise options.UsageError(f'invalid argument "{item}" for "--filter" flag: write NAME=VALUE')
        filters.setdefault(name, []).append(value)
    query = http.query(all=values.get("all"), limit=values.get("last"), filters=documents.dump(filters) if filters else None)
    found = http.Client(host).call("GET", f"/containers/json{query}")
    whole = bool(values.get("no_trunc"))
    if wants_json:
        print("".join(f"{documents.dump(entry)}\n" for entry in found), end="")
    elif values.get("quiet"):
        print("".join(f"{entry['Id'] if whole else table.short_id(entry['Id'])}\n" for entry in found), end="")
    else:
        print(table.render(HEADS, [_row(entry, whole) for entry in found]))
    return 0


def _row(entry: dict[str, Any], whole: bool) -> tuple[str, ...]:
    command = f'"{entry["Command"]}"'
    return (
        entry["Id"] if whole else table.short_id(entry["Id"]),
        entry["Image"],
        command if whole else f'"{table.shorten(entry["Command"])}"',
        f"{ages.duration(time.time() - entry['Created'])} ago",
        entry["Status"],
        "",
        ",".join(name.lstrip("/") for name in entry["Names"]),
    )
