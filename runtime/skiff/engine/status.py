"""A container's states: Docker's, how OCI's map to them, and what each allows. One screen answers every lifecycle question."""

from __future__ import annotations

from typing import Mapping

CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
REMOVING = "removing"
EXITED = "exited"
DEAD = "dead"

# OCI's words, which the shim speaks. One that OCI has created but not started has never run, as Docker sees it.
FROM_OCI: Mapping[str, str] = {
    "creating": CREATED,
    "created": CREATED,
    "running": RUNNING,
    "paused": PAUSED,
    "stopped": EXITED,
}

ALIVE = frozenset((RUNNING, PAUSED))

# What may follow what; everything else is a fault of the engine.
NEXT: Mapping[str, frozenset[str]] = {
    CREATED: frozenset((CREATED, RUNNING, EXITED, REMOVING)),
    RUNNING: frozenset((PAUSED, EXITED)),
    PAUSED: frozenset((RUNNING, EXITED)),
    EXITED: frozenset((RUNNING, EXITED, REMOVING)),
    REMOVING: frozenset((DEAD,)),
    DEAD: frozenset((REMOVING,)),
}
