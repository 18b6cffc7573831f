"""A container engine that the host leaves: its units stopped and disabled, its containers told; nothing of it is removed."""

from fleet.agent import diff, notation, process, systemd
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast
from fleet.agent.kinds import unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host

RUNNING = ("Up", "Restarting")  # how the status of a container with processes begins
ACTIVE = {"active", "reloading", "activating"}
ENABLED = {"enabled", "enabled-runtime", "linked", "linked-runtime"}
PATIENCE = 60.0
SLOWEST_STOP = 600.0


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether the engine is still at work or would be after a boot, and which containers it has.

    Raises:
        AgentError: containers run, and may not be stopped; or the engine does not tell.
    """
    leaving, idle = _leaving(want, host)
    if not leaving and not idle:
        return None
    running, stopped = _containers(want, host)
    if running and not want["stop_containers"]:
        brief = "{} runs containers on this host: {}".format(want["engine"], ", ".join(sorted(running)))
        raise AgentError(brief, _listed(dict(running, **stopped)), "stop them, or set engine_switch: stop, which does")
    change = Change("leave", "leave {}: stop, disable {}".format(want["engine"], ", ".join(leaving + idle)))
    if running:
        change.summary += "; stop containers {}".format(", ".join(sorted(running)))
    if stopped:
        change.summary += "; stopped ones stay: {}".format(", ".join(sorted(stopped)))
    change.diff = "".join(diff.of_value("{} active".format(name), "active", "inactive") for name in leaving + idle)
    change.diff += "".join(diff.of_value("container {}".format(name), running[name], "stopped") for name in sorted(running))
    change.steps = sorted(running)
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Stop what runs, then the units; first those that would start others."""
    leaving, idle = _leaving(want, host)
    if change.steps:
        done = process.run([*want["stopping"], *change.steps], SLOWEST_STOP)
        if done.status != 0:
            raise done.failure("containers of {} cannot be stopped".format(want["engine"]), "stop them, then run again")
    for name in leaving + idle:
        host.ledger.enter("unit", name, unit.before(name, host))
    for name in leaving:
        systemd.control("disable", name)
    for name in leaving + idle:
        systemd.control("stop", name)


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The units will be at rest, as they are found by what takes over their names."""
    forecast.left.update(want["units"])


def _leaving(want: "Dict[str, Any]", host: "Host") -> "Tuple[List[str], List[str]]":
    """The units that run or are enabled, and the companions that run although nothing enabled them."""
    leaving = [name for name in want["units"] if _active(name, host) or _enabled(name, host)]
    idle = [name for name in want["companions"] if _active(name, host) and not _enabled(name, host)]
    return leaving, idle


def _active(name: str, host: "Host") -> bool:
    return host.units.properties(name).get("ActiveState") in ACTIVE


def _enabled(name: str, host: "Host") -> bool:
    found = host.units.properties(name)
    return found.get("LoadState") != "not-found" and found.get("UnitFileState") in ENABLED


def _containers(want: "Dict[str, Any]", host: "Host") -> "Tuple[Dict[str, str], Dict[str, str]]":
    """Containers by name with their status, those that run and the others; none where the engine itself does not run."""
    if not _active(want["units"][-1], host):
        return {}, {}
    done = process.run(want["listing"], PATIENCE)
    try:
        rows = [notation.loads(line) for line in done.stdout.splitlines() if line.strip()]
        found = {_name(row["Names"]): str(row["Status"]) for row in rows}
    except (LookupError, TypeError, ValueError):
        found = None
    if done.status != 0 or found is None:
        cure = "see to the engine, or stop it and what runs in it, then run again"
        raise done.failure("{} does not tell which containers it has".format(want["engine"]), cure)
    running = {name: status for name, status in found.items() if status.startswith(RUNNING)}
    return running, {name: status for name, status in found.items() if name not in running}


def _name(names: "Any") -> str:
    """A container's first name: Docker's client prints one, the API's form is a list of them with a slash before each."""
    return str(names if isinstance(names, str) else names[0]).lstrip("/")


def _listed(containers: "Dict[str, str]") -> str:
    return "\n".join("{}: {}".format(name, containers[name]) for name in sorted(containers))
