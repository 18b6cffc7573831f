"""Images of an archive, in the host's engine under their names. What the engine has already is not sent."""

import os
import urllib.parse

from fleet.agent import diff, engine
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host

    Lack = Tuple[str, str, str]  # what it is called, the identity that the engine has under that name or "", the image's digest

KNOWN = "images.json"  # identities by digest, of an engine that has its own: Docker's with containerd's store counts manifests
MOST_KNOWN = 1000
CONTAINERD = ["driver-type", "io.containerd.snapshotter.v1"]
# How often the layers lie on the disk while they are loaded: in the engine's copy of the archive, unpacked, and Skiff keeps blobs.
TIMES = {"skiff.service": 3, "docker.service": 2}
ABSENT = "absent"


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Which images the engine lacks, or has another one under their name."""
    found = engine.of_host()
    lacking = _lacking(want, host, found)
    if not lacking:
        return None
    _require_room(want, host, found)
    change = Change("load", "load {}".format(", ".join(_told(*one) for one in lacking)))
    change.diff = "".join(diff.of_value(name, old or ABSENT, digest) for name, old, digest in lacking)
    change.contents = [want["archive"]]
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Give the engine the archive, whose every byte is here and has been checked."""
    found = engine.of_host()
    with host.contents.open(want["archive"]) as stream:
        said = found.load(stream, want["archive"]["size"])
    _remember(want, host, found, said)
    lacking = _lacking(want, host, found)
    if lacking:
        names = ", ".join(name for name, _, _ in lacking)
        raise AgentError("the engine took the archive, and has no {}".format(names), "\n".join(said))


def foresee(_want: "Dict[str, Any]", _change: Change, _forecast: Forecast) -> None:
    """Nothing that a check asks for."""


def _lacking(want: "Dict[str, Any]", host: "Host", found: engine.Engine) -> "List[Lack]":
    known = host.state.read_json(KNOWN) or {}
    lacking = []
    for digest, names in sorted(want["images"].items()):
        right = {digest, known.get(digest)}
        for name in names or [digest]:
            identity = _identity(found, name)
            if not identity and not names and known.get(digest):
                identity = _identity(found, known[digest])
            if identity not in right:
                lacking.append((name, identity, digest))
    return lacking


def _identity(found: engine.Engine, name: str) -> str:
    shown = found.get("/images/{}/json".format(urllib.parse.quote(name, safe="/:@")))
    return str(shown["Id"]) if shown else ""


def _told(name: str, old: str, _digest: str) -> str:
    return "{}, which is another image now".format(name) if old else name


def _remember(want: "Dict[str, Any]", host: "Host", found: engine.Engine, said: "List[str]") -> None:
    """What an engine with identities of its own calls the images: the next run asks for that."""
    if CONTAINERD not in ((found.get("/info") or {}).get("DriverStatus") or []):
        return
    known = host.state.read_json(KNOWN) or {}
    for digest, names in want["images"].items():
        known[digest] = _identity(found, names[0]) if names else _only(said, len(want["images"]))
    host.state.write_json(KNOWN, dict(list(known.items())[-MOST_KNOWN:]))


def _only(said: "List[str]", images: int) -> str:
    """The identity that an engine tells of an image without a name, where that can be only one."""
    told = [line.partition("Loaded image ID: ")[2] for line in said if line.startswith("Loaded image ID: ")]
    return told[0] if len(told) == images == 1 else ""


def _require_room(want: "Dict[str, Any]", host: "Host", found: engine.Engine) -> None:
    """The archive as it arrives, the engine's own copy while it reads, and the layers.

    Raises:
        AgentError: they do not fit, told by file system.
    """
    data = (found.get("/info") or {}).get("DockerRootDir") or "/var/lib"
    needed = {}  # type: Dict[int, List[Any]]
    for path, size in ((host.state.home, want["archive"]["size"]), (data, want["unpacked"] * TIMES[found.unit])):
        place = _existing(path)
        room = needed.setdefault(os.stat(place).st_dev, [place, 0])
        room[1] += size
    for place, size in needed.values():
        there = os.statvfs(place)
        free = there.f_bavail * there.f_frsize
        if free < size:
            raise AgentError(
                "{} has too little room for the images".format(place),
                "{} MB are needed while they are loaded, {} MB are free".format(-(-size // 10**6), free // 10**6),
                "remove images that nothing uses, or give the file system more",
            )


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    return path
