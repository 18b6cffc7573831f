"""skiff-oci start: the program of a created container."""

from __future__ import annotations

import os

from skiff.cli.oci import options
from skiff.cli.oci.state import specified
from skiff.errors import SkiffError, suppress
from skiff.linux import signals
from skiff.oci import channels, hooks, status
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store
    from skiff.spec.types import Spec


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    _, rest = options.parse(arguments, {})
    start(containers, options.one(rest))
    return 0


def start(containers: Store, identity: str, spec: Spec | None = None) -> None:
    """Open the gate, remember that it is open, and run the poststart hooks: if one fails, the container is killed.

    `spec` need not be read again by whoever has just made the container.
    """
    with containers.lock(identity):
        state = containers.load(identity)
        status.require("start", identity, state["status"])
        channels.open_gate(containers.directory(identity), state["program"])
        state["status"] = status.RUNNING
        containers.save(identity, state)
    try:
        _poststart(containers.load_spec(identity) if spec is None else spec, state)
    except SkiffError:
        with suppress(ProcessLookupError):
            os.kill(state["pid"], signals.SIGKILL)
        raise


def _poststart(spec: Spec, state: dict[str, Any]) -> None:
    """Without the lock, for a hook may well ask about its container."""
    planned = hooks.plan_outer((spec.get("hooks") or {}).get("poststart"))
    if planned:
        hooks.run_all("poststart", planned, jsontext.dumps(specified(state)).encode(), state["bundle"])
