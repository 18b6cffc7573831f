"""An image archive to the engines of many hosts: what is in it as one resource of a role, and what is said of each host."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from fleet import events
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.images import archive, packing
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_error, write_line
from fleet.resources import Images
from fleet.roles.loader import Role, nothing

NAME = "images.push"


@contextlib.contextmanager
def pushed(file: str) -> Iterator[Images]:
    """What every host is to have, once the archive has been read to its end and found whole.

    Raises:
        UsageError: there is none, or it is no image archive, or damaged.
    """
    if not file:
        raise UsageError("images.push: which archive?", resolution="./inv images.push IMAGE.tar --hosts HOSTS")
    path = Path(file)
    found = archive.read(path)
    images: Dict[str, Tuple[str, ...]] = {}
    for one in found.images:
        images[one.digest] = tuple(dict.fromkeys((*images.get(one.digest, ()), *one.names)))
    with packing.packed(path, found) as content:
        write_error(f"{path.name}: {', '.join(names(images))}; {content.size / 1e6:.1f} MB to each host that lacks it")
        yield Images(path.name, content, images, found.unpacked)


def role(images: Images) -> Role:
    """A role of this one resource."""
    return Role("images", Path(), {}, nothing, lambda *_: (images,), nothing, nothing, nothing)


def show(outcomes: Sequence[HostOutcome], images: Images, as_json: bool) -> None:
    """Says of which hosts nothing was wanted: they had it all."""
    having = [outcome.host for outcome in outcomes if outcome.state == events.OK]
    if having and not as_json:
        write_line(f"left alone, for {', '.join(names(images.images))} is there already: {', '.join(having)}")


def names(images: Mapping[str, Tuple[str, ...]]) -> List[str]:
    """What images are called: by their names, or the beginning of their digest."""
    return [on_one_line(name) for digest, told in images.items() for name in told or (digest[:19],)]
