"""A group of the host's own files. Members are added, never taken from."""

import pwd

from fleet.agent import diff, process
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, Left
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    name, found = want["name"], host.accounts.group(want["name"])
    if want["state"] == "absent":
        return (
            None
            if found is None
            else Change("remove", "remove group {}".format(name), diff.of_value("group " + name, "there", "absent"))
        )
    missing = _missing(want, found, host)
    if found is None:
        if name in host.forecast.groups and not missing:
            return None
        change = Change("create", "create group {}".format(name), diff.of_value("group " + name, "absent", "there"))
    elif want["gid"] is not None and int(found[2]) != want["gid"]:
        change = Change("update", "renumber group {}".format(name), diff.of_value("gid of " + name, found[2], str(want["gid"])))
    elif missing:
        change = Change("update", "update group {}".format(name))
    else:
        return None
    if missing:
        change.summary += ": add {}".format(", ".join(missing))
        change.diff += "".join(diff.of_value("{} in group {}".format(one, name), "absent", "there") for one in missing)
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Run the programs that change /etc/group."""
    name, found = want["name"], host.accounts.group(want["name"])
    missing = _missing(want, found, host) if change.action != "remove" else []
    renumbered = want["gid"] is not None and (found is None or int(found[2]) != want["gid"])
    host.ledger.enter("group", name, found, ours={"members": missing, "gid": str(want["gid"]) if renumbered else None})
    if change.action == "remove":
        _run(["groupdel", name])
    elif found is None or renumbered:
        argv = ["groupadd" if found is None else "groupmod"]
        argv += ["-g", str(want["gid"])] if renumbered else []
        argv += ["-r"] if found is None and want["system"] else []
        _run([*argv, name])
    for member in missing:
        _run(["gpasswd", "-a", member, name])


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove it, where nobody else is in it; or give it the number that it had, and take out whom Skiff put in."""
    name, original, found = place.name, place.original, host.accounts.group(place.name)
    brought = {one for entry in place.entries for one in entry["ours"]["members"]}
    if original is not None:
        if found is None:
            raise Left("it was removed; it had number {}".format(original[2]), over=True)
        return _undo_update(place, found, [one for one in _members(found) if one in brought], host)
    if found is None:
        return None
    own = [one for one in host.accounts.of_group(found[2]) if one not in host.forecast.gone_users]
    others = [one for one in _members(found) if one not in brought and one not in host.forecast.gone_users]
    if own or (others and not host.force):
        raise Left("somebody is in it: {}".format(",".join(dict.fromkeys(own + others))))
    change = Change("remove", "remove group {}".format(name), diff.of_value("group " + name, "there", "absent"))
    change.act = lambda: _run(["groupdel", name])
    return change


def _undo_update(place: "Place", found: "List[str]", leaving: "List[str]", host: "Host") -> "Optional[Change]":
    name, original = place.name, place.original
    given = [entry["ours"]["gid"] for entry in place.entries if entry["ours"]["gid"]]
    steps = [["gpasswd", "-d", one, name] for one in leaving]
    change = Change("restore", "restore group {}".format(name))
    change.diff = "".join(diff.of_value("{} in group {}".format(one, name), "there", "absent") for one in leaving)
    if given and found[2] != original[2]:
        if found[2] not in given and not host.force:
            raise Left("its number was changed since by somebody else")
        steps.append(["groupmod", "-g", original[2], name])
        change.diff += diff.of_value("gid of " + name, found[2], original[2])

    def act() -> None:
        for argv in steps:
            _run(argv)

    change.act = act
    return change if steps else None


def _members(row: "List[str]") -> "List[str]":
    return [one for one in row[3].split(",") if one]


def _run(argv: "List[str]") -> None:
    done = process.run(argv)
    if done.status != 0:
        error: AgentError = done.failure("group {} cannot be changed".format(argv[-1]))
        raise error


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The group will be there, or gone."""
    if want["state"] == "absent":
        forecast.groups.discard(want["name"])
        forecast.gone_groups.add(want["name"])
    else:
        forecast.groups.add(want["name"])
        forecast.gone_groups.discard(want["name"])


def _missing(want: "Dict[str, Any]", found: "Optional[List[str]]", host: "Host") -> "List[str]":
    """Who is declared a member and is none.

    Raises:
        AgentError: one of them is unknown to the host, by its own files and any other source of users.
    """
    there = found[3].split(",") if found is not None else []
    missing = [one for one in want["members"] if one not in there]
    unknown = [one for one in missing if one not in host.forecast.users and not _exists(one)]
    if unknown:
        brief = "no such user, to be put into group {}: {}".format(want["name"], ", ".join(unknown))
        raise AgentError(brief, "", "correct the name, or make the user first")
    return missing


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
