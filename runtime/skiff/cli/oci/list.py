"""skiff-oci list: the containers below a root."""

from __future__ import annotations

import json

from skiff.cli.oci import options
from skiff.cli.oci.state import document
from skiff.errors import InvalidInput, NotFound, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store

FLAGS = {"quiet": options.FLAG, "q": "=quiet", "format": options.VALUE, "f": "=format"}
COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    options.none(rest)
    rows = _rows(containers)
    style = flags.get("format", "table")
    if style not in ("table", "json"):
        raise InvalidInput(f"--format {style}: table or json")
    if "quiet" in flags:
        print("".join(f"{row['id']}\n" for row in rows), end="")
    elif style == "json":
        print(json.dumps(rows))
    else:
        table = [[name.upper() for name in COLUMNS], *([str(row[name]) for name in COLUMNS] for row in rows)]
        widths = [max(len(line[index]) for line in table) for index in range(len(COLUMNS))]
        for line in table:
            print("   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    return 0


def _rows(containers: Store) -> list[dict[str, Any]]:
    found = []
    for identity in containers.identities():
        with suppress(NotFound):  # deleted meanwhile
            found.append(document(containers.load(identity), containers.owner(identity)))
    return found
