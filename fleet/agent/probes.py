"""Runs the read-only commands, and the agent's own looks, from whose output the control side judges a host."""

import os
import time

from fleet.agent import process, scratch, systemd
from fleet.agent.contents import Contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

    from fleet.agent.host import Host

LONGEST = 256 << 10
KEPT = "probes"
FIRST_PAUSE = 0.1  # seconds, doubled each time
LONGEST_PAUSE = 2.0
UP = "active", "activating", "reloading"


def run(probes: "List[Dict[str, Any]]", contents: Contents, host: "Host", redact: "Callable[[str], str]") -> "List[Dict[str, Any]]":
    """The outcome of each probe, in order; their contents lie in a private directory while they run.

    Secrets are taken out before the output is cut: of one at the cut, the half would not be known as one.
    """
    contents.fetch_to_keep([content for probe in probes for content in probe["contents"].values()], KEPT)
    if not any(probe["contents"] for probe in probes):
        return [_told(probe, _one(probe, contents, "", host), redact) for probe in probes]
    with scratch.folder() as folder:
        paths = [os.path.join(folder, str(number)) for number in range(len(probes))]
        return [_told(probe, _one(probe, contents, path, host), redact) for probe, path in zip(probes, paths)]


def _one(probe: "Dict[str, Any]", contents: Contents, prefix: str, host: "Host") -> "Tuple[process.Finished, float]":
    argv = list(probe["argv"])
    for name, content in probe["contents"].items():
        path = "{}-{}".format(prefix, name)
        with open(path, "wb") as stream:
            for chunk in contents.chunks(content):
                stream.write(chunk)
        argv = [word.replace("{" + name + "}", path) for word in argv]
    begun = time.monotonic()
    if probe.get("look"):
        from fleet.agent import looks  # no part of a provision run

        done = looks.run(probe["look"], probe.get("given") or {}, host, probe["timeout"])
    else:
        done = systemd.answer(argv) or process.run(argv, probe["timeout"])
        if done.status != 0 and probe.get("patience"):
            done = _again(argv, probe, done)
    return done, time.monotonic() - begun


def _told(probe: "Dict[str, Any]", done: "Tuple[process.Finished, float]", redact: "Callable[[str], str]") -> "Dict[str, Any]":
    finished, seconds = done
    return {
        "name": probe["name"],
        "status": finished.status,
        "stdout": redact(finished.stdout)[:LONGEST],
        "stderr": redact(finished.stderr)[:LONGEST],
        "seconds": round(seconds, 3),
    }


def _again(argv: "List[str]", probe: "Dict[str, Any]", done: process.Finished) -> process.Finished:
    """The outcome of a command that is run again while it fails, for a daemon that was just started; not for one that is down."""
    end, pause = time.monotonic() + probe["patience"], FIRST_PAUSE
    while done.status not in (0, process.MISSING) and time.monotonic() + pause < end and _comes_up(probe["unit"]):
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
        done = process.run(argv, probe["timeout"])
    return done


def _comes_up(unit: str) -> bool:
    """Whether a unit is up or coming up; while the host boots, it may have no more than a job that waits for others."""
    if not unit:
        return True
    told = process.run(["systemctl", "show", "-p", "ActiveState,Job", unit]).stdout.split()
    found = dict(line.partition("=")[::2] for line in told)
    return found.get("ActiveState") in UP or found.get("Job", "0") not in ("", "0")
