"""What is built on the control machine for a run, as variables: the runtime's bundle, and the images that verification runs."""

from __future__ import annotations

from typing import Any, Dict, Sequence

from fleet.roles.loader import Role

DEPLOYS = {"runtime", "service"}


def inputs(roles: Sequence[Role]) -> Dict[str, Any]:
    """The variables of a run's own; none where no role deploys or verifies the runtime.

    Raises:
        FleetError: the bundle cannot be built.
    """
    if not any(role.name in DEPLOYS for role in roles):
        return {}
    from fleet import probe_image
    from fleet.bundle import bundle

    result = bundle(lambda _: None)
    return {"bundle": result.content, "bundle_version": result.version, "probe_images": probe_image.at_hand()}
