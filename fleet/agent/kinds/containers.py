"""The containers that run on the host's engines: they stand against a deprovision, or are stopped first."""

from fleet.agent import diff, process
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host

ANSWER = 30.0
STOPPING = 300.0


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Refuses to take the engine from under them, unless by force."""
    running = [(client, one) for client in want["clients"] for one in _running(client)]
    if not running:
        return None
    names = ", ".join(one[:12] for _, one in running)
    if not host.force:
        raise AgentError(
            "{} here: {}".format("a container runs" if len(running) == 1 else "{} containers run".format(len(running)), names),
            "what they do ends with their engine",
            "stop them, or give --force: they are asked to end, and ended after 10 seconds",
        )
    change = Change("stop", "stop {}".format(names))
    change.diff = "".join(diff.of_value("container " + one[:12], "running", "stopped") for _, one in running)
    return change


def apply(want: "Dict[str, Any]", _change: Change, _host: "Host") -> None:
    """Ask each to end, and end those that do not."""
    for client in want["clients"]:
        names = _running(client)
        done = process.run([client, "stop", *names], STOPPING) if names else None
        if done is not None and done.status != 0:
            raise done.failure("not every container could be stopped")


def foresee(_want: "Dict[str, Any]", _change: Change, _forecast: Forecast) -> None:
    """Nothing that a check asks for."""


def _running(client: str) -> "List[str]":
    """Their names; none where there is no such engine, or it does not answer."""
    done = process.run([client, "ps", "-q", "--no-trunc"], ANSWER)
    return done.stdout.split() if done.status == 0 else []
