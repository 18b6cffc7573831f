"""skiff-oci state: what there is to know of a container, as the specification's JSON with runc's additions."""

from __future__ import annotations

from skiff.cli.oci import options
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    _, rest = options.parse(arguments, {})
    identity = options.one(rest)
    import json  # slow to load, and those who import this module want but `specified`

    print(json.dumps(document(containers.load(identity), containers.owner(identity)), indent=2))
    return 0


def document(state: dict[str, Any], owner: int = 0) -> dict[str, Any]:
    """The state as others see it; `owner` is a uid."""
    stopped = state["status"] == status.STOPPED
    return {
        "ociVersion": state["ociVersion"],
        "id": state["id"],
        "pid": 0 if stopped else state["pid"],
        "status": state["status"],
        "bundle": state["bundle"],
        "rootfs": state.get("rootfs", ""),
        "created": state["created"],
        "annotations": state["annotations"],
        "owner": _name(owner),
    }


def specified(state: dict[str, Any]) -> dict[str, Any]:
    """What the specification has in it, for hooks."""
    found = document(state)
    return {name: found[name] for name in ("ociVersion", "id", "status", "pid", "bundle", "annotations")}


def _name(uid: int) -> str:
    if uid == 0:
        return "root"
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
