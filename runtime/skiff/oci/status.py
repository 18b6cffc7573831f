"""The life of a container as OCI tells it: what may be asked in each status, on one screen.

creating --> created --> running --> stopped
                `-----------------------^

Created and running may be paused and go on; that is told by the cgroup, nobody writes it down.
"""

from __future__ import annotations

from skiff.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Status

CREATING: Status = "creating"
CREATED: Status = "created"
RUNNING: Status = "running"
PAUSED: Status = "paused"
STOPPED: Status = "stopped"

ALLOWED = {
    "start": (CREATED,),
    "kill": (CREATED, RUNNING, PAUSED),
    "pause": (CREATED, RUNNING),
    "resume": (PAUSED,),
    "update": (CREATED, RUNNING, PAUSED),
    "watch": (CREATED, RUNNING, PAUSED),
    "delete": (CREATED, STOPPED),
}


def require(operation: str, identity: str, status: str) -> None:
    """Refuse what the status does not allow, in runc's words, for callers match on them."""
    if status in ALLOWED[operation]:
        return
    if operation == "kill":
        raise Conflict(f"container not running: {identity} is {status}")
    if operation == "pause":
        raise Conflict(f"container not running or created: {identity} is {status}")
    if operation == "resume":
        raise Conflict(f"container not paused: {identity} is {status}")
    if operation in ("update", "watch"):
        raise Conflict(f"container {identity} is not running: it is {status}")
    if operation == "delete":
        raise Conflict(f"cannot delete container {identity} that is not stopped: {status}")
    if status == PAUSED:
        raise Conflict("cannot start a container in the paused state")
    raise Conflict(
        "cannot start a container that has stopped" if status == STOPPED else "cannot start an already running container"
    )
