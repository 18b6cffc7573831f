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
    "delete": (STOPPED,),
}


def require(operation: str, identity: str, status: str) -> None:
    """Refuse what the status does not allow."""
    if status not in ALLOWED[operation]:
        raise Conflict(f"cannot {operation} container {identity}: it is {status}, not {' or '.join(ALLOWED[operation])}")
