"""What repeats a run, as its record keeps it, and the rest of a run that did not bring every host to its end.

No secret is kept: passwords are asked for again or stand in the environment, and `--set` takes a secret only by reference.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from fleet import recorded
from fleet.errors import UsageError
from fleet.progress.output import write_error

# How a run is shown is not repeated, and which hosts it goes to is told by what became of them.
NOT_REPEATED = ("hosts", "json", "tap", "junit", "html", "out")
ROLLOUTS = ("upgrade", "rollback")
PATHS = ("inventory", "role_path")


@dataclass(frozen=True)
class Rest:
    """What is left of a run: the same task with the same options for fewer hosts."""

    run: str
    task: str
    mode: str
    hosts: str
    options: Dict[str, Any]
    undo: Optional[Mapping[str, Any]]


def repetition(mode: str, options: Mapping[str, Any], undo: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """What repeats a run from wherever it is asked to."""
    kept = {name: value for name, value in options.items() if name not in NOT_REPEATED}
    kept["role_path"] = kept["role_path"] or os.environ.get("SKIFF_ROLE_PATH", "")
    kept.update({name: str(Path(kept[name]).absolute()) for name in PATHS if kept[name]})
    kept["settings"] = list(kept["settings"])
    return {"mode": mode, "options": kept, "undo": undo}


def rest(name: str) -> Rest:
    """The rest of the run of this name, or of the last one that left something undone.

    Raises:
        UsageError: there is no such run, nothing is left of it, it goes on, or its record does not tell how to repeat it.
    """
    run = recorded.read(recorded.find(name), details=False) if name else recorded.last_broken()
    hosts = run.hosts_in(*recorded.BROKEN)
    if run.state == recorded.IN_PROGRESS:
        raise UsageError(f"{run.task} {run.name} goes on; {run.who}", resolution="wait for its end, or end it")
    if not hosts:
        raise UsageError(f"there is nothing to resume: {run.task} {run.name} brought every host to its end")
    if not run.repeat:
        again = f"`./inv {run.task} --resume`" if run.task in ROLLOUTS else "run the task itself again, with --hosts @failed"
        raise UsageError(f"{run.task} {run.name} cannot be repeated from its record", resolution=again)
    with recorded.whole(run.name):
        found = Rest(run.name, run.task, run.repeat["mode"], ",".join(hosts), dict(run.repeat["options"]), run.repeat["undo"])
    write_error(f"resuming {run.task} {run.name} ({run.state}): {', '.join(hosts)}")
    return found
