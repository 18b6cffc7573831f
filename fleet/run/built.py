"""What the control machine has ready for a run, as variables: the bundle, the images that verification runs, RPMs of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, Optional, Sequence, Tuple

from fleet import rpm
from fleet.errors import UsageError
from fleet.inventory.document import Entry
from fleet.inventory.model import Host
from fleet.inventory.settings import path_of
from fleet.roles.loader import Role
from fleet.rpm import Rpm

if TYPE_CHECKING:
    from fleet.bundle import BundleResult

DEPLOYS = {"runtime", "service"}
RPMS = "docker_rpms"


def inputs(roles: Sequence[Role], given: Optional[BundleResult] = None) -> Dict[str, Any]:
    """The variables of a run's own; none where no role deploys or verifies the runtime.

    A bundle that is `given` stands for this checkout's.

    Raises:
        FleetError: the bundle cannot be built.
    """
    if not any(role.name in DEPLOYS for role in roles):
        return {}
    from fleet import probe_image
    from fleet.bundle import bundle

    result = given or bundle(lambda _: None)
    return {
        "bundle": result.content,
        "bundle_version": result.version,
        "succession": result.succession,
        "probe_images": probe_image.at_hand(),
    }


def rpms(hosts: Iterable[Host]) -> Dict[Path, Tuple[Rpm, ...]]:
    """The packages of every directory that a host's `docker_rpms` names, each read once.

    Raises:
        UsageError: a directory or a package in it is faulty, told with the place of the setting.
    """
    found: Dict[Path, Tuple[Rpm, ...]] = {}
    for host in hosts:
        entry = _rpms_entry(host.variables)
        if entry is not None and path_of(entry) not in found:
            try:
                found[path_of(entry)] = rpm.read_directory(path_of(entry))
            except UsageError as error:
                raise UsageError(f"{entry.place}: {error.brief}", error.details, error.resolution) from error
    return found


def rpms_of(host: Host, read: Mapping[Path, Tuple[Rpm, ...]]) -> Tuple[Rpm, ...]:
    """A host's part of them."""
    entry = _rpms_entry(host.variables)
    return read.get(path_of(entry), ()) if entry is not None else ()


def _rpms_entry(variables: Mapping[str, Entry]) -> Optional[Entry]:
    entry = variables.get(RPMS)
    return entry if entry is not None and entry.value else None
