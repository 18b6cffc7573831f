"""Runs the read-only commands from whose output the control side judges a host."""

import os
import time

from fleet.agent import process, scratch
from fleet.agent.contents import Contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

LONGEST = 256 << 10


def run(probes: "List[Dict[str, Any]]", contents: Contents, redact: "Callable[[str], str]") -> "List[Dict[str, Any]]":
    """The outcome of each probe, in order; their contents lie in a private directory while they run.

    Secrets are taken out before the output is cut: of one at the cut, the half would not be known as one.
    """
    contents.fetch([content for probe in probes for content in probe["contents"].values()])
    if not any(probe["contents"] for probe in probes):
        return [_one(probe, contents, redact, "") for probe in probes]
    with scratch.folder() as folder:
        return [_one(probe, contents, redact, os.path.join(folder, str(number))) for number, probe in enumerate(probes)]


def _one(probe: "Dict[str, Any]", contents: Contents, redact: "Callable[[str], str]", prefix: str) -> "Dict[str, Any]":
    argv = list(probe["argv"])
    for name, content in probe["contents"].items():
        path = "{}-{}".format(prefix, name)
        with open(path, "wb") as stream:
            for chunk in contents.chunks(content):
                stream.write(chunk)
        argv = [word.replace("{" + name + "}", path) for word in argv]
    begun = time.monotonic()
    done = process.run(argv, probe["timeout"])
    return {
        "name": probe["name"],
        "status": done.status,
        "stdout": redact(done.stdout)[:LONGEST],
        "stderr": redact(done.stderr)[:LONGEST],
        "seconds": round(time.monotonic() - begun, 3),
    }
