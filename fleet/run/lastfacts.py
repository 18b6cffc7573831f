"""The facts of hosts that runs gathered last, from their records: what is published is made without connecting to anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Collection, Dict, Mapping, Optional, Tuple

from fleet import record_files

# What a record's line has beside the facts themselves.
BESIDE = ("kind", "host", "at")
MARK = b'"kind": "facts"'

Known = Tuple[float, Mapping[str, Any]]


def last_facts(hosts: Collection[str], directory: Optional[Path] = None) -> Dict[str, Known]:
    """Each host's newest recorded facts, with the time when they were gathered; a host that no record tells of is left out."""
    missing, found = set(hosts), dict[str, Known]()
    for path in record_files.runs(directory):
        if not missing:
            break
        newest: Dict[str, Known] = {}
        for line in lines(path):
            if line.get("host") in missing:
                facts = {name: value for name, value in line.items() if name not in BESIDE}
                newest[line["host"]] = float(line["at"]), facts
        found.update(newest)
        missing -= newest.keys()
    return found


def lines(path: Path) -> list[Dict[str, Any]]:
    """A record's facts; of one that is pruned meanwhile none, and half a line counts for nothing."""
    told = []
    try:
        with path.open("rb") as stream:
            for raw in stream:
                if MARK in raw and raw.endswith(b"\n"):
                    line = json.loads(raw)
                    if line.get("kind") == "facts":
                        told.append(line)
    except (OSError, ValueError):
        return told
    return told
