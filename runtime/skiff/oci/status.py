"""The life of a container as OCI tells it: what may be asked in each status, on one screen.

creating --> created --> running --> stopped
                `-----------------------^
"""

from __future__ import annotations

from skiff.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Status

CREATING: Status = "creating"
CREATED: Status = "created"
RUNNING: Status = "running"
STOPPED: Status = "stopped"

ALLOWED = {
    "start": (CREATED,),
    "kill": (CREATED, RUNNING),
    "delete": (CREATED, STOPPED),
}


def require(operation: str, identity: str, status: str) -> None:
    """Refuse what the status does not allow, in runc's words, for callers match on them."""
    if status in ALLOWED[operation]:
        return
    if operation == "kill":
        raise Conflict(f"container not running: {identity} is {status}")
    if operation == "delete":
        raise Conflict(f"cannot delete container {identity} that is not stopped: {status}")
    raise Conflict(
        "cannot start a container that has stopped" if status == STOPPED else "cannot start an already running container"
    )
