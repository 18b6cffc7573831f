"""Packages of the host's package manager, installed or removed in one transaction."""

import os

from fleet.agent import diff, dnf, repositories, rpm, systemd
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, Left
from fleet.agent.forecast import ABSENT, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What is missing, or there and unwanted. The package manager is asked only about what will change."""
    names = _differing(want, host)
    if not names:
        return None
    tool, verb, touched = dnf.command(host.facts), _verb(want), dict.fromkeys(names, "")
    if host.planning:
        with repositories.foreseen(host.forecast.repositories, host.contents.read) as options:
            touched = dnf.foreseen(tool, verb, names, options, host.looking)
    change = Change(verb, "")
    _tell(change, names, touched)
    return change


def _tell(change: Change, names: "List[str]", touched: "Dict[str, str]") -> None:
    others = len(set(touched) - set(names))
    change.steps = sorted(touched)
    change.summary = "{} {}{}".format(change.action, ", ".join(names), " and {} more".format(others) if others else "")
    pairs = [(name, touched[name] or "installed") for name in change.steps]
    install = change.action == "install"
    change.diff = diff.cut(
        "".join(diff.of_value(name, *(("absent", there) if install else (there, "absent"))) for name, there in pairs)
    )


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """The transaction; what it brought beside is told as the plan told it."""
    log = os.path.join(host.state.prepare(), "transaction.log")
    names = _differing(want, host)
    transaction = "{} in {}".format(names[0], host.backups.run)
    host.ledger.enter("package", transaction, {"verb": _verb(want), "had": sorted(rpm.everything())})
    _tell(change, names, dnf.transact(dnf.command(host.facts), _verb(want), names, log))
    host.ledger.enter("package", transaction, None, ours=change.steps)
    host.refresh("package")
    left = _differing(want, host)
    if left:  # yum calls a package that it does not find no failure
        raise AgentError("{} did not {} {}".format(host.facts["package_manager"], _verb(want), ", ".join(left)), dnf.tail(log))


def foresee(want: "Dict[str, Any]", change: Change, forecast: Forecast) -> None:
    """The packages will be there; or gone, and the units that they brought."""
    if want["state"] != "absent":
        forecast.installing = True
        forecast.installed.update(change.steps)
        forecast.removed.difference_update(change.steps)
        return
    forecast.removed.update(change.steps)
    forecast.installed.difference_update(change.steps)
    listed = rpm.query(["-l", *change.steps], looking=True).stdout.splitlines()
    for path in listed:
        if os.path.dirname(path) in systemd.FOLDERS:
            forecast.paths[path] = ABSENT


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove what a transaction brought and nothing else requires, or install again what it removed."""
    had, there = set(place.original["had"]), rpm.everything()
    begun = int(place.entries[0]["at"])
    # A transaction that outlived its agent is known by when it installed.
    touched = place.last.get("ours") or [name for name, installed in there.items() if installed >= begun]
    if place.original["verb"] == "remove":
        return _undo_removal(sorted(name for name in touched if name in had and name not in there), host)
    upgraded = sorted(name for name in place.last.get("ours") or () if name in had)
    if upgraded:
        host.leaves("package:" + place.name, Left("it upgraded {}, which is left so".format(", ".join(upgraded)), over=True))
    brought = sorted(name for name in touched if name not in had and name in there and name not in host.forecast.removed)
    if not brought:
        return None
    going, needed = rpm.removable(brought, host.forecast.removed)
    why = "; ".join("{} is needed by {}".format(name, other) for name, other in needed.items())
    if not going:
        raise Left(why)
    change = Change("remove", "remove {}".format(", ".join(going)))
    change.diff = diff.cut("".join(diff.of_value(name, "installed", "absent") for name in going))
    change.steps = going
    change.act = lambda: _leave(host, "remove", going, why)
    if why:
        host.leaves("package:" + place.name, Left(why))
    return change


def _undo_removal(names: "List[str]", host: "Host") -> "Optional[Change]":
    if not names:
        return None
    try:
        dnf.foreseen(dnf.command(host.facts), "install", names, (), host.looking)
    except AgentError as error:
        raise Left("{} cannot be installed again: {}".format(", ".join(names), error.brief)) from error
    change = Change("install", "install {} again".format(", ".join(names)))
    change.act = lambda: _leave(host, "install", names, "")
    return change


def _leave(host: "Host", verb: str, names: "List[str]", why: str) -> None:
    """The transaction that leads back. What was a dependency before Skiff came stays, whatever nobody requires now."""
    log = os.path.join(host.state.prepare(), "transaction.log")
    dnf.transact(dnf.command(host.facts), verb, names, log, ["--setopt=clean_requirements_on_remove=0"])
    host.refresh("package")
    if why:
        raise Left(why)


def _verb(want: "Dict[str, Any]") -> str:
    return "remove" if want["state"] == "absent" else "install"


def _differing(want: "Dict[str, Any]", host: "Host") -> "List[str]":
    forecast = host.forecast
    if want["state"] == "absent":
        return [one for one in want["names"] if _named(one, host)]
    return [
        one for one in want["names"] if one in forecast.removed or not (one in forecast.installed or host.installed.provided(one))
    ]


def _named(name: str, host: "Host") -> bool:
    if name in host.forecast.installed:
        return True
    return name not in host.forecast.removed and host.installed.named(name)
