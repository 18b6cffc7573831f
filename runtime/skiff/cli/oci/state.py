"""skiff-oci state: what there is to know of a container, as the specification's JSON with runc's additions."""

from __future__ import annotations

import json

from skiff.cli.oci import options
from skiff.oci import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    _, rest = options.parse(arguments, {})
    print(json.dumps(document(containers.load(options.one(rest))), indent=2))
    return 0


def document(state: dict[str, Any]) -> dict[str, Any]:
    """The state as others see it."""
    return {
        "ociVersion": state["ociVersion"],
        "id": state["id"],
        "pid": 0 if state["status"] == status.STOPPED else state["pid"],
        "status": state["status"],
        "bundle": state["bundle"],
        "rootfs": state.get("rootfs", ""),
        "created": state["created"],
        "annotations": state["annotations"],
        "owner": "root",
    }
