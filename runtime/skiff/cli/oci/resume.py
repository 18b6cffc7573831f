"""skiff-oci resume: the processes of a paused container go on."""

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
        status.require("resume", identity, state["status"])
        open_manager(state["cgroup"]).freeze(False)
    return 0
