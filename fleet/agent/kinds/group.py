"""A group of the host's own files."""

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
    if found is None:
        if name in host.forecast.groups:
            return None
        return Change("create", "create group {}".format(name), diff.of_value("group " + name, "absent", "there"))
    if want["gid"] is None or int(found[2]) == want["gid"]:
        return None
    return Change("update", "renumber group {}".format(name), diff.of_value("gid of " + name, found[2], str(want["gid"])))


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Run the program that changes /etc/group."""
    host.ledger.enter("group", want["name"], host.accounts.group(want["name"]))
    argv: "List[str]" = [{"remove": "groupdel", "create": "groupadd"}.get(change.action, "groupmod")]
    if change.action != "remove" and want["gid"] is not None:
        argv += ["-g", str(want["gid"])]
    if change.action == "create" and want["system"]:
        argv.append("-r")
    _run([*argv, want["name"]])


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove it, where nobody is in it; or give it the number that it had."""
    name, original, found = place.name, place.original, host.accounts.group(place.name)
    if original is not None:
        if found is None:
            raise Left("it was removed; it had number {}".format(original[2]), over=True)
        change = Change("restore", "renumber group {}".format(name), diff.of_value("gid of " + name, found[2], original[2]))
        change.act = lambda: _run(["groupmod", "-g", original[2], name])
        return change if found[2] != original[2] else None
    if found is None:
        return None
    if found[3] and not host.force:
        raise Left("somebody is in it: {}".format(found[3]))
    change = Change("remove", "remove group {}".format(name), diff.of_value("group " + name, "there", "absent"))
    change.act = lambda: _run(["groupdel", name])
    return change


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
