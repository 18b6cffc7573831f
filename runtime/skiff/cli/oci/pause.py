"""skiff-oci pause: all processes of a container stop where they are."""

from __future__ import annotations

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    _, rest = options.parse(arguments, {})
    identity = options.one(rest)
    with containers.lock(identity):
        state = containers.load(identity)
        status.require("pause", identity, state["status"])
        open_manager(state["cgroup"]).freeze(True)
    return 0
