"""skiff-oci start: the program of a created container."""

from __future__ import annotations

from skiff.cli.oci import options
from skiff.oci import channels, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    _, rest = options.parse(arguments, {})
    start(containers, options.one(rest))
    return 0


def start(containers: Store, identity: str) -> None:
    """Open the gate, and remember that it is open."""
    with containers.lock(identity):
        state = containers.load(identity)
        status.require("start", identity, state["status"])
        channels.open_gate(containers.directory(identity), state["program"])
        containers.save(identity, {**state, "status": status.RUNNING})
