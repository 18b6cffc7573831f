"""A systemd unit: masked, enabled and active as declared, reloaded or restarted after what it depends on changed."""

import os
import time

from fleet.agent import diff, process, systemd
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import ABSENT, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

    Step = Tuple[str, str, str, str]

OWN = "/etc/systemd/system"
ON = {"enabled", "static", "indirect", "generated", "alias", "transient"}  # what `is-enabled` calls a success, for good
MASKED = {"masked", "masked-runtime"}
RUNNING = {"active", "reloading", "activating"}
SETTLING, PAUSE = 30.0, 0.2  # seconds for a unit that is to be stopped to come up whole, and between two questions
BEGUN = "InactiveExitTimestampMonotonic"  # microseconds on the clock of time.monotonic(), by org.freedesktop.systemd1(5)
YOUNG = 300.0  # seconds since a unit's start began; one that does not answer after them never will
RELOADING = {"daemon-reload", "enable", "disable", "mask", "unmask"}


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs, and whether a change before it calls for a restart or a reload."""
    steps = _steps(want, host)
    if not steps:
        return None
    name, verbs = want["name"], [verb for verb, _, _, _ in steps]
    shown = [verb for verb in verbs if verb != "daemon-reload"] or verbs
    change = Change(shown[-1], "{} {}".format(", ".join(shown), name))
    change.steps = verbs
    if shown[-1] in ("restart", "reload"):
        change.summary += host.because(want["id"], want["restart_on"] + want["reload_on"])
    change.diff = "".join(diff.of_value("{} {}".format(name, what), old, new) for _, what, old, new in steps if what)
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Take the steps, in order."""
    name = want["name"]
    steps = _steps(want, host)
    if any(what for _, what, _, _ in steps):
        host.ledger.enter("unit", name, before(name, host))
    for verb, _, _, _ in steps:
        if verb in ("start", "restart"):
            systemd.forgive(name)
        if verb == "stop" and want.get("settled"):
            _settle(name, want["settled"])
        systemd.control(verb, "" if verb == "daemon-reload" else name)
    if want["active"]:
        found = systemd.Units([name]).properties(name)
        if _running(found) in ("failed", "failing"):
            raise AgentError(
                "{} was started and failed".format(name),
                systemd.last_words(name),
                "`journalctl -u {}` on the host tells more".format(name),
            )


def foresee(_want: "Dict[str, Any]", change: Change, forecast: Forecast) -> None:
    """What makes systemd read its files anew does so for every unit."""
    if RELOADING.intersection(change.steps):
        forecast.loaded = set(forecast.paths)


def before(name: str, host: "Host") -> "Dict[str, str]":
    """What the unit was; one whose file Skiff brought was not there, though systemd may have started it since for another unit."""
    brought = [host.ledger.place("file", path) for path in systemd.unit_files(name)]
    if any(place is not None and place.original["type"] == ABSENT for place in brought):
        return {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}
    found = host.units.properties(name)
    return {field: found.get(field, "") for field in ("LoadState", "ActiveState", "UnitFileState")}


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Masked, enabled and active as it was; a unit that was not there is stopped and disabled, before its file goes."""
    return check(original(place), host)


def undone(place: "Place", host: "Host") -> None:
    """Take the steps that lead back."""
    apply(original(place), Change("restore", ""), host)


def original(place: "Place") -> "Dict[str, Any]":
    """The unit as it was, declared."""
    before = place.original
    state = before["UnitFileState"]
    there, masked = before["LoadState"] != "not-found", state in MASKED or before["LoadState"] == "masked"
    enabled = True if state.startswith("enabled") else False if state == "disabled" or not there else None
    active = there and before["ActiveState"] in RUNNING
    want = {"id": "unit:" + place.name, "name": place.name, "restart_on": [], "reload_on": []}
    return dict(want, enabled=None if masked else enabled, active=active, masked=masked)


def _steps(want: "Dict[str, Any]", host: "Host") -> "List[Step]":
    """The systemctl verbs to run, each with what it changes, from what, to what."""
    name, found = want["name"], host.units.properties(want["name"])
    if name in host.forecast.left:
        found = dict(found, ActiveState="inactive", UnitFileState="disabled")
    files = systemd.unit_files(name)
    there = found.get("LoadState") != "not-found" and not _taken(files, host.forecast)
    if not there and not any(os.path.exists(path) or host.forecast.brings(path) for path in files):
        return _steps_absent(want)
    enabled = found.get("UnitFileState", "") if there else "disabled"
    masked = there and (enabled in MASKED or found.get("LoadState") == "masked")
    steps: "List[Step]" = []
    if want["masked"] is False and masked:
        steps.append(("unmask", "file", "masked", "unmasked"))
        enabled = "disabled"
    if _stale(found, files, host.forecast):
        steps.append(("daemon-reload", "", "", ""))
    steps += _enabling(want, enabled) + _activity(want, _running(found) if there else "inactive", host)
    if want["masked"] and not masked:
        _refuse_own(name)
        steps.append(("mask", "file", "unmasked", "masked"))
    return steps


def _taken(files: "List[str]", forecast: Forecast) -> bool:
    """Whether each of the unit's files that is on disk will have been removed."""
    on_disk = [path for path in files if os.path.lexists(path)]
    return bool(on_disk) and all(forecast.takes(path) for path in on_disk)


def _stale(found: "Dict[str, str]", files: "List[str]", forecast: Forecast) -> bool:
    """Whether systemd has not read the unit's files as they are, or will be."""
    news = set(forecast.paths) - (forecast.loaded or set())
    if any(path == one or path.startswith(one + ".d/") for path in news for one in files):
        return True
    unread = found.get("LoadState") == "not-found" and any(os.path.exists(path) for path in files)
    return forecast.loaded is None and (unread or found.get("NeedDaemonReload") == "yes")


def _running(found: "Dict[str, str]") -> str:
    """The active state; a unit that systemd starts again and again does not count as running."""
    return "failing" if found.get("SubState", "").startswith("auto-restart") else found.get("ActiveState", "inactive")


def _steps_absent(want: "Dict[str, Any]") -> "List[Step]":
    if want["active"] or want["enabled"]:
        raise AgentError("there is no unit {}".format(want["name"]), "", "install or declare what brings it, before the unit")
    return [("mask", "file", "not installed", "masked")] if want["masked"] else []


def _enabling(want: "Dict[str, Any]", state: str) -> "List[Step]":
    if want["enabled"] and state not in ON:
        if state in MASKED:
            raise AgentError("{} is masked and cannot be enabled".format(want["name"]), "", "declare masked: false for it")
        return [("enable", "enabled", state or "disabled", "enabled")]
    if want["enabled"] is False and state in ("enabled", "enabled-runtime", "linked", "linked-runtime"):
        return [("disable", "enabled", state, "disabled")]
    return []


def _activity(want: "Dict[str, Any]", state: str, host: "Host") -> "List[Step]":
    running = state in RUNNING
    if want["active"] and not running:
        return [("start", "active", state, "active")]
    if want["active"] is False:
        return [("stop", "active", state, "inactive")] if running or state == "failing" else []
    triggers = host.triggered(want["id"], want["restart_on"] + want["reload_on"])
    if not triggers or not running:
        return []
    if all(one in want["reload_on"] and one not in want["restart_on"] for one in triggers):
        return [("reload", "", "", "")]
    return [("restart", "", "", "")]


def _settle(name: str, asked: "List[str]") -> None:
    """Wait until a unit has come up whole, is down, or has had its time: systemd takes it for up before."""
    end = time.monotonic() + SETTLING
    while time.monotonic() < end and _begun(name) + YOUNG > time.monotonic():
        if process.run(asked, SETTLING).status in (0, process.MISSING):
            return
        if systemd.Units([name]).properties(name).get("ActiveState") not in RUNNING:
            return
        time.sleep(PAUSE)


def _begun(name: str) -> float:
    """When systemd began to start a unit, by time.monotonic(); now, if that is not told."""
    lines = process.run(["systemctl", "show", "-p", BEGUN, name]).stdout.splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line).get(BEGUN, "")
    return int(told) / 1e6 if told.isdigit() else time.monotonic()


def _refuse_own(name: str) -> None:
    path = os.path.join(OWN, name)
    if os.path.lexists(path) and not os.path.islink(path):
        raise AgentError(
            "{} cannot be masked: its file lies in {}".format(name, OWN),
            "systemd masks by a link of that name there",
            "remove {}, or disable the unit instead".format(path),
        )
