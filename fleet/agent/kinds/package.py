"""Packages of the host's package manager, installed or removed in one transaction."""

import os

from fleet.agent import diff, dnf, repositories, rpm, scratch, systemd
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, Left
from fleet.agent.forecast import ABSENT, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place
    from fleet.agent.question import Question


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What is missing, in another version than the declared one, or there and unwanted.

    The package manager is asked only about what will change, and not at all where the RPMs are still to come.
    """
    names = _differing(want, host)
    if not names:
        return None
    verb, words = _verb(want), _words(want, names)
    touched = dict.fromkeys(words, "")
    if host.planning and not want["files"]:
        with repositories.foreseen(host.forecast.repositories, host.contents.read) as options:
            touched = _foreseen(want, words, options, host)
        if not host.looking:
            host.reached.update(host.forecast.repositories)
    change = Change(verb, "")
    change.contents = [want["files"][name] for name in names] if want["files"] else []
    _tell(change, want, names, _packages(touched, names, words), host)
    return change


def _foreseen(want: "Dict[str, Any]", words: "List[str]", options: "List[str]", host: "Host") -> "Dict[str, str]":
    """What the transaction will touch. The first of a run, before which no package changes, is worked out only once."""
    tool, forecast = dnf.command(host.facts), host.forecast
    if host.looking or tool != "dnf" or host.asked or forecast.installed or forecast.removed:
        return dnf.foreseen(tool, _verb(want), words, options, host.looking)
    touched, question = dnf.ask(tool, _verb(want), words, options, _log(host))
    if question is not None:
        host.asked[want["id"]] = words, question
    return touched


def _question(want: "Dict[str, Any]", words: "List[str]", host: "Host") -> "Optional[Question]":
    """Where the transaction waits, if it is still the one that is wanted."""
    asked, question = host.asked.pop(want["id"], ([], None))
    if question is not None and asked != words:
        question.answer(False)
        return None
    return question


def _log(host: "Host") -> str:
    return os.path.join(host.state.prepare(), "transaction.log")


def _packages(touched: "Dict[str, str]", names: "List[str]", words: "List[str]") -> "Dict[str, str]":
    """What was touched, by package: the words that the package manager was told may be files, or hold a version."""
    return {name: version for name, version in touched.items() if name in names or name not in words}


def _tell(change: Change, want: "Dict[str, Any]", names: "List[str]", touched: "Dict[str, str]", host: "Host") -> None:
    known = [name for name in touched if name not in names]
    change.steps = sorted(names + known)
    told = [" ".join(filter(None, (name, want["versions"].get(name)))) for name in names]
    change.summary = "{} {}{}".format(change.action, ", ".join(told), " and {} more".format(len(known)) if known else "")
    rows = []
    for name in change.steps:
        there = want["versions"].get(name) or touched.get(name) or "installed"
        old = (host.installed.versions(name) or ["absent"])[-1] if name in want["versions"] else "absent"
        rows.append(diff.of_value(name, *((old, there) if change.action == "install" else (there, "absent"))))
    change.diff = diff.cut("".join(rows))


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """The transaction; what it brought beside is told as the plan told it."""
    log, tool, names = _log(host), dnf.command(host.facts), _differing(want, host)
    transaction = "{} in {}".format(names[0], host.backups.run)
    host.ledger.enter("package", transaction, {"verb": _verb(want), "had": sorted(rpm.everything(False))})
    import contextlib  # slow to import

    with contextlib.contextmanager(_sources)(want, names, host) as (words, options):
        touched = dnf.transact(tool, _verb(want), words, log, options, _question(want, words, host))
        _tell(change, want, names, _packages(touched, names, words), host)
        host.ledger.enter("package", transaction, None, ours=change.steps)
        host.refresh("package")
        left = _differing(want, host)
        if left and tool == "yum" and set(left) <= set(want["versions"]):  # its `install` does not go back to an older version
            back = [word for name, word in zip(names, words) if name in left]
            dnf.transact(tool, "downgrade", back, log, options)
            host.refresh("package")
            left = _differing(want, host)
    if left:  # yum calls a package that it does not find no failure
        raise AgentError("{} did not {} {}".format(tool, _verb(want), ", ".join(left)), dnf.tail(log))


def _sources(want: "Dict[str, Any]", names: "List[str]", host: "Host") -> "Iterator[Tuple[List[str], List[str]]]":
    """What the package manager is told to take, a word a package, and its options: RPMs sent here, and then nothing else."""
    if not want["files"]:
        yield _words(want, names), []
        return
    with scratch.folder() as folder:
        paths = [os.path.join(folder, name + ".rpm") for name in names]
        for name, path in zip(names, paths):
            host.contents.lay(want["files"][name], path)
        yield paths, ["--disablerepo=*"]


def _words(want: "Dict[str, Any]", names: "List[str]") -> "List[str]":
    return ["-".join(filter(None, (name, want["versions"].get(name)))) for name in names]


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
    had, there = set(place.original["had"]), rpm.everything(host.looking)
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
    going, needed = rpm.removable(brought, host.forecast.removed, host.looking)
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
    dnf.transact(dnf.command(host.facts), verb, names, _log(host), ["--setopt=clean_requirements_on_remove=0"])
    host.refresh("package")
    if why:
        raise Left(why)


def _verb(want: "Dict[str, Any]") -> str:
    return "remove" if want["state"] == "absent" else "install"


def _differing(want: "Dict[str, Any]", host: "Host") -> "List[str]":
    if want["state"] == "absent":
        return [one for one in want["names"] if _named(one, host)]
    return [one for one in want["names"] if not _satisfied(one, want["versions"].get(one), host)]


def _satisfied(name: str, version: "Optional[str]", host: "Host") -> bool:
    if name in host.forecast.removed:
        return False
    if name in host.forecast.installed:
        return True
    return host.installed.pinned(name, version) if version else host.installed.provided(name)


def _named(name: str, host: "Host") -> bool:
    if name in host.forecast.installed:
        return True
    return name not in host.forecast.removed and bool(host.installed.versions(name))
