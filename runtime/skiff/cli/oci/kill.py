"""skiff-oci kill: a signal to a container's program, or to all its processes."""

from __future__ import annotations

import os

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.errors import InvalidInput
from skiff.linux import signals
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store

FLAGS = {"all": options.FLAG, "a": "=all"}


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    # runc takes its flag after the arguments too.
    everyone = "all" in flags or "--all" in rest or "-a" in rest
    rest = [argument for argument in rest if argument not in ("--all", "-a")]
    if len(rest) not in (1, 2):
        raise InvalidInput("kill takes a container id and at most a signal")
    number = signals.number(rest[1]) if len(rest) > 1 else signals.SIGTERM
    with containers.lock(rest[0]):
        state = containers.load(rest[0])
        if everyone and state["cgroup"]:
            # Processes of a shared pid namespace outlive init.
            open_manager(state["cgroup"]).kill(number)
        else:
            status.require("kill", rest[0], state["status"])
            os.kill(state["pid"], number)
            if state["status"] == status.PAUSED and number == signals.SIGKILL:
                # Version 1 keeps even this one from what is frozen.
                open_manager(state["cgroup"]).freeze(False)
    return 0
