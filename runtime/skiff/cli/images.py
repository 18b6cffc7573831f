"""`skiff images`: the images that are stored."""

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
    "images [OPTIONS]",
    "List images",
    (
        ("-q, --quiet", "flag", "", "identities only"),
        ("--no-trunc", "flag", "", "do not shorten"),
        ("--format", "text", "json", "one JSON document a line"),
    ),
    "skiff images\nskiff images -q --no-trunc",
)
HEADS = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")


def run(host: str, values: dict[str, Any], _arguments: list[str]) -> int:
    """Print the list, a line for each tag."""
    wants_json = json_wanted(values)
    found = http.Client(host).call("GET", "/images/json")
    whole = bool(values.get("no_trunc"))
    if wants_json:
        print("".join(f"{documents.dump(entry)}\n" for entry in found), end="")
    elif values.get("quiet"):
        print("".join(f"{entry['Id'] if whole else table.short_id(entry['Id'])}\n" for entry in found), end="")
    else:
        rows = [_row(entry, name, whole) for entry in found for name in entry["RepoTags"] or ("<none>:<none>",)]
        print(table.render(HEADS, rows))
    return 0


def _row(entry: dict[str, Any], name: str, whole: bool) -> tuple[str, ...]:
    repository, _, tag = name.rpartition(":")
    return (
        repository,
        tag,
        entry["Id"] if whole else table.short_id(entry["Id"]),
        f"{ages.duration(time.time() - entry['Created'])} ago" if entry["Created"] > 0 else "N/A",
        table.size(entry["Size"]),
    )
