"""This host started anew, where its state needs that and no container would be lost: looked at, then ordered of systemd."""

import os

from fleet.agent import engine, process
from fleet.agent.errors import AgentError
from fleet.agent.facts import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Seconds until it happens: the control side hears of it, and the connection ends by itself.
DELAY = 3
CURE = "stop them, or give --force"
RETURNING = ("always", "unless-stopped")  # what an engine starts again when it starts; on-failure is none of these


def order(asked: "Dict[str, Any]", reasons: "List[str]") -> "Dict[str, Any]":
    """The `reboot` message: this boot, the containers that run, and why it is not done, if it is not.

    `asked` has `force`: containers may be lost.
    """
    message: "Dict[str, Any]" = {
        "type": "reboot",
        "boot": read(BOOT_ID).strip(),
        "reasons": reasons,
        "containers": [],
        "error": None,
    }
    try:
        running = [one for found in engine.all_there() for one in _running(found, asked["force"])]
        message["containers"] = ["{} (restart policy {})".format(name, policy or "no") for name, policy, _ in running]
        lost = [name for name, policy, unit in running if policy not in RETURNING or not _starts_at_boot(unit)]
        if lost and not asked["force"]:
            raise AgentError(
                "{} would not be started again: {}".format("a container" if len(lost) == 1 else "containers", ", ".join(lost)),
                "they run, and their restart policy is neither always nor unless-stopped, or their engine is not enabled",
                CURE,
            )
        _order()
    except AgentError as error:
        message["error"] = error.to_wire()
    return message


def _running(found: engine.Engine, force: bool) -> "List[Tuple[str, str, str]]":
    """Name, restart policy and the engine's unit of each container that runs.

    Raises:
        AgentError: the engine does not answer: what runs is unknown, which only `force` makes light of.
    """
    try:
        listed = found.get("/containers/json") or []
    except AgentError as error:
        if force:
            return []
        raise AgentError(
            "what runs here is unknown: " + error.brief, error.details, error.resolution + "; or give --force"
        ) from error
    running = []
    for one in listed:
        shown = found.get("/containers/{}/json".format(one["Id"]))
        if shown is not None:  # it may have ended meanwhile
            policy = (shown["HostConfig"].get("RestartPolicy") or {}).get("Name") or ""
            running.append((str(shown["Name"]).lstrip("/"), str(policy), found.unit))
    return running


def _starts_at_boot(unit: str) -> bool:
    return process.run(["systemctl", "--quiet", "is-enabled", unit]).status == 0


def _order() -> None:
    """A timer of systemd's own: it outlives this process and the session."""
    timer = ["--on-active={}".format(DELAY), "--timer-property=AccuracySec=100ms", "--unit=skiff-reboot-{}".format(os.getpid())]
    done = process.run(["systemd-run", "--quiet", *timer, "systemctl", "reboot"], 60.0)
    if done.status != 0:
        raise done.failure("the reboot could not be ordered")
