"""A group of the host's own files."""

from fleet.agent import diff, process
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host


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


def apply(want: "Dict[str, Any]", change: Change, _host: "Host") -> None:
    """Run the program that changes /etc/group."""
    argv: "List[str]" = [{"remove": "groupdel", "create": "groupadd"}.get(change.action, "groupmod")]
    if change.action != "remove" and want["gid"] is not None:
        argv += ["-g", str(want["gid"])]
    if change.action == "create" and want["system"]:
        argv.append("-r")
    done = process.run([*argv, want["name"]])
    if done.status != 0:
        error: AgentError = done.failure("group {} cannot be changed".format(want["name"]))
        raise error


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The group will be there, or gone."""
    if want["state"] == "absent":
        forecast.groups.discard(want["name"])
    else:
        forecast.groups.add(want["name"])
