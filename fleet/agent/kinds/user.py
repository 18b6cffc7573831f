"""A user of the host's own files. Groups are added to, never taken from."""

import os

from fleet.agent import diff, process
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, Left
from fleet.agent.forecast import DIRECTORY, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

FIELDS = (("uid", 2, "-u"), ("home", 5, "-d"), ("shell", 6, "-s"))
ALL = (*FIELDS, ("group", 3, "-g"))


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    name, found = want["name"], host.accounts.user(want["name"])
    if want["state"] == "absent":
        return (
            None
            if found is None
            else Change("remove", "remove user {}".format(name), diff.of_value("user " + name, "there", "absent"))
        )
    for group in [want["group"], *want["groups"]]:
        if group is not None:
            host.accounts.owning_group(group, host.forecast)
    if found is None:
        if name in host.forecast.users:
            return None
        return Change("create", "create user {}".format(name), diff.of_value("user " + name, "absent", "there"))
    differing = _differing(want, found, host)
    if not differing:
        return None
    change = Change("update", "update {} of user {}".format(", ".join(what for what, _, _, _ in differing), name))
    change.diff = "".join(diff.of_value("{} of {}".format(what, name), old, new) for what, old, new, _ in differing)
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Run the program that changes /etc/passwd."""
    found = host.accounts.user(want["name"])
    differing = _differing(want, found, host) if found is not None and change.action != "remove" else []
    host.ledger.enter("user", want["name"], _known(want["name"], host), ours=_ours(differing, host))
    if change.action == "remove":
        argv = ["userdel"]
    elif found is None:
        argv = ["useradd", "-m" if _makes_home(want) else "-M", *_options(want)]
    else:
        argv = ["usermod"]
        for _, _, new, option in differing:
            argv += ["-a", option, new] if option == "-G" else [option, new]
    _run([*argv, want["name"]])


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove the user, whose files stay; or take it out of the groups it was put into, and give it back what it had."""
    name, original, now = place.name, place.original, _known(place.name, host)
    if now is None:
        if original is not None:
            raise Left("it was removed; it had number {}".format(original["row"][2]), over=True)
        return None
    if original is None:
        if os.path.isdir(now["row"][5]) and os.stat(now["row"][5]).st_uid == int(now["row"][2]):
            host.leaves("user:" + name, Left("its home {} stays".format(now["row"][5]), over=True))
        change = Change("remove", "remove user {}".format(name), diff.of_value("user " + name, "there", "absent"))
        change.act = lambda: _run(["userdel", name])
        return change
    return _undo_update(place, original, now, host)


def _undo_update(place: "Place", original: "Dict[str, Any]", now: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Only what Skiff set is set back, as long as it is still what Skiff set."""
    name, options, theirs = place.name, [], []
    ours = {field: value for one in place.entries for field, value in one["ours"]["fields"].items()}
    change = Change("restore", "restore user {}".format(name))
    for field, column, option in ALL:
        if field not in ours or now["row"][column] == original["row"][column]:
            continue
        if now["row"][column] != ours[field] and not host.force:
            theirs.append(field)
            continue
        options += [option, original["row"][column]]
        change.diff += diff.of_value("{} of {}".format(field, name), now["row"][column], original["row"][column])
    added = sorted({group for one in place.entries for group in one["ours"]["groups"]}.intersection(now["groups"]))
    change.diff += "".join(diff.of_value("groups of " + name, one, "absent") for one in added)
    why = "its {} was changed since by somebody else".format(" and ".join(theirs)) if theirs else ""
    if not options and not added:
        if why:
            raise Left(why)
        return None
    if why:
        host.leaves("user:" + name, Left(why))
    change.act = lambda: _restore(name, options, added, why, host)
    return change


def _restore(name: str, options: "List[str]", added: "List[str]", why: str, host: "Host") -> None:
    for group in added:
        _run(["gpasswd", "-d", name, group])
    if options:
        _run(["usermod", *options, name])
    host.refresh("user")
    if why:
        raise Left(why)


def _ours(differing: "List[Tuple[str, str, str, str]]", host: "Host") -> "Dict[str, Any]":
    """What a change sets, as /etc/passwd will have it, and the groups that it adds."""
    fields = {field: new for field, _, new, _ in differing}
    groups = fields.pop("groups", "")
    if "group" in fields:
        fields["group"] = str(host.accounts.owning_group(fields["group"], host.forecast))
    return {"fields": fields, "groups": groups.split(",") if groups else []}


def _known(name: str, host: "Host") -> "Optional[Dict[str, Any]]":
    row = host.accounts.user(name)
    return None if row is None else {"row": [*row[:1], "x", *row[2:]], "groups": host.accounts.groups_of(name)}


def _run(argv: "List[str]") -> None:
    done = process.run(argv)
    if done.status != 0:
        error: AgentError = done.failure("user {} cannot be changed".format(argv[-1]))
        raise error


def foresee(want: "Dict[str, Any]", change: Change, forecast: Forecast) -> None:
    """The user will be there, with a home if it gets one; or gone."""
    if want["state"] == "absent":
        forecast.users.discard(want["name"])
        forecast.gone_users.add(want["name"])
        return
    forecast.users.add(want["name"])
    forecast.gone_users.discard(want["name"])
    if change.action == "create" and _makes_home(want):
        forecast.paths.setdefault(want["home"], DIRECTORY)


def _makes_home(want: "Dict[str, Any]") -> bool:
    return bool(want["home"]) and not want["system"]


def _options(want: "Dict[str, Any]") -> "List[str]":
    options = ["-r"] if want["system"] else []
    for name, _, option in FIELDS:
        if want[name] is not None:
            options += [option, str(want[name])]
    options += ["-g", want["group"]] if want["group"] is not None else []
    return options + (["-G", ",".join(want["groups"])] if want["groups"] else [])


def _differing(want: "Dict[str, Any]", found: "List[str]", host: "Host") -> "List[Tuple[str, str, str, str]]":
    """What differs, each as name, old, new and usermod's option."""
    name, differing = want["name"], []
    for field, column, option in FIELDS:
        if want[field] is not None and found[column] != str(want[field]):
            differing.append((field, found[column], str(want[field]), option))
    if want["group"] is not None and int(found[3]) != host.accounts.owning_group(want["group"], host.forecast):
        differing.append(("group", found[3], want["group"], "-g"))
    missing = [one for one in want["groups"] if name not in _members(one, host) and found[3] != _number(one, host)]
    if missing:
        differing.append(("groups", "absent", ",".join(missing), "-G"))
    return differing


def _members(group: str, host: "Host") -> "List[str]":
    row = host.accounts.group(group)
    return row[3].split(",") if row is not None else []


def _number(group: str, host: "Host") -> str:
    row = host.accounts.group(group)
    return row[2] if row is not None else ""
