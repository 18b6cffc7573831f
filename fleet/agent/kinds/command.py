"""A guarded command: what no other kind of resource does."""

import os

from fleet.agent import process
from fleet.agent.change import Change
from fleet.agent.errors import Left
from fleet.agent.forecast import FILE, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

SLOWEST_GUARD = 60.0


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether it has to run."""
    because = host.because(want["id"], want["on_change"] + want.get("listens", []))
    if want["on_change"] and not because:
        return None
    if want["creates"] and _there(want["creates"], host):
        return None
    if want["unless"] and process.run(want["unless"], SLOWEST_GUARD).status == 0:
        return None
    change = Change("run", "run {}{}".format(" ".join(want["argv"]), because))
    change.contents = [want["stdin"]] if want["stdin"] else []
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Run it."""
    host.ledger.enter("command", want["name"], None)
    given = host.contents.chunks(want["stdin"]) if want["stdin"] else ()
    done = process.run(want["argv"], want["timeout"], given=given)
    if want["secret"]:
        done = process.Finished(done.argv, done.status, "", "what it said is not shown: it was given a secret")
    if done.status == process.TIMED_OUT:
        raise done.failure("{} did not end within {:g} seconds".format(want["name"], want["timeout"]))
    if done.status != 0:
        raise done.failure("{} failed".format(want["name"]))


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """What it creates will be there; beyond that it may do anything."""
    forecast.commands = True
    if want["creates"]:
        forecast.paths[want["creates"]] = FILE


def undo(_place: "Place", _host: "Host") -> "Optional[Change]":
    """Nothing: no command tells how it is undone."""
    raise Left("it was run, and what it did beside is not known", over=True)


def _there(path: str, host: "Host") -> bool:
    known = path in host.forecast.paths and not host.forecast.takes(path)
    return known or (os.path.exists(path) and not host.forecast.takes(path))
