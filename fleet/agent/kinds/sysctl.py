"""Kernel parameters: a file under /etc/sysctl.d, and the live values."""

import os

from fleet.agent import diff
from fleet.agent.change import Change
from fleet.agent.document import Document
from fleet.agent.errors import AgentError, Left
from fleet.agent.facts import listed, read
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

FOLDER = "/etc/sysctl.d"
LAST = "/etc/sysctl.conf"  # procps reads it after all others, whatever its name
FOLDERS = (FOLDER, "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs live and in the file, and whether another file would undo it at the next boot."""
    own = _path(want)
    _refuse_overridden(want["values"], own, host.forecast)
    live = [(key, live_value(key), value) for key, value in want["values"].items()]
    missing = [key for key, now, _ in live if now is None]
    if missing and not (host.forecast.modules or host.forecast.installing):
        raise AgentError(
            "this kernel has no parameter {}".format(", ".join(missing)),
            "no such file below /proc/sys",
            "load the module that brings it first (br_netfilter for net.bridge), or leave it out",
        )
    differing = [(key, now, value) for key, now, value in live if now is None or now.split() != value.split()]
    change = _document(want).compare(host)
    if not differing:
        return change
    keys = ", ".join(key for key, _, _ in differing)
    text = change.diff if change is not None else ""
    lines = "".join(diff.of_value(key, "absent" if now is None else " ".join(now.split()), value) for key, now, value in differing)
    return Change("update", "set {}".format(keys), text + lines)


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Set what differs, then write the file: a value that this kernel refuses is not kept for the next boot."""
    for key, value in want["values"].items():
        now = live_value(key)
        if now is None or now.split() != value.split():
            host.ledger.enter("sysctl", key, now, value)
            _set(key, value)
    if _document(want).compare(host) is not None:
        _document(want).write(change, host)


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """Its file will be there."""
    forecast.paths[_path(want)] = "file"


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """The value that was live; a parameter that came with a module goes with it."""
    key, now, value = place.name, live_value(place.name), place.original
    if now is None or value is None or now.split() == value.split():
        return None
    if not host.force and now.split() not in [one["ours"].split() for one in place.entries]:
        raise Left("somebody else set it to {} since; it was {}".format(now, value))
    change = Change("restore", "set {} to {}".format(key, " ".join(value.split())), diff.of_value(key, now, value))
    change.act = lambda: _set(key, value)
    return change


def _path(want: "Dict[str, Any]") -> str:
    return os.path.join(FOLDER, want["name"] + ".conf")


def _document(want: "Dict[str, Any]") -> Document:
    text = "".join("{} = {}\n".format(key, value) for key, value in want["values"].items())
    return Document(_path(want), data=text.encode("utf-8", "surrogateescape"))


def _proc(key: str) -> str:
    """A key's file. Dots separate, but a key with a slash keeps its dots (an interface's name may have some)."""
    separate = key if "/" in key else key.replace(".", "/")
    return os.path.join("/proc/sys", separate)


def live_value(key: str) -> "Optional[str]":
    """A parameter as the kernel has it now; None where it has none of the name."""
    return read(_proc(key)).strip() if os.path.exists(_proc(key)) else None


def written(name: str, key: str) -> str:
    """A parameter's value in the file of a resource; empty where it has none."""
    lines = [line.partition("=") for line in read(os.path.join(FOLDER, name + ".conf")).splitlines()]
    return next((value.strip() for found, _, value in lines if found.strip() == key), "")


def _set(key: str, value: str) -> None:
    try:
        with open(_proc(key), "w", encoding="utf-8") as stream:
            stream.write(value + "\n")
    except OSError as error:
        raise AgentError(
            "this kernel refuses {} = {}".format(key, value),
            "{}: {}; it is {} now".format(_proc(key), error.strerror, live_value(key)),
            "in a container the parameter belongs to the machine outside; else correct the value",
        ) from error
    now = live_value(key) or ""
    if now.split() != value.split():
        raise AgentError("{} is {} after {} was written".format(key, now, value), "", "give the value as the kernel shows it")


def _refuse_overridden(values: "Dict[str, str]", own: str, forecast: Forecast) -> None:
    """A later file that sets another value wins at the next boot: say which, rather than fight with it."""
    found = []
    for path, key, value in _later(own):
        if key in values and value.split() != values[key].split() and not forecast.takes(path):
            found.append("{}: {} = {}".format(path, key, value))
    if found:
        raise AgentError(
            "another file sets other values, and is read last", "\n".join(found), "remove those lines, or declare those values"
        )


def _later(own: str) -> "List[Tuple[str, str, str]]":
    """The settings in files that are read after `own`, which names order, the first directory's file hiding the others'."""
    named: "Dict[str, str]" = {}
    for folder in reversed(FOLDERS):
        for path in listed(folder, ".conf"):
            named[os.path.basename(path)] = path
    last = os.path.realpath(LAST)
    paths = [named[name] for name in sorted(named) if name > os.path.basename(own) and os.path.realpath(named[name]) != last]
    settings = []
    for path in [*paths, LAST]:
        for line in read(path).splitlines():
            key, equals, value = line.strip().lstrip("-").partition("=")
            if equals and key[:1] not in ("#", ";"):
                settings.append((path, key.strip().replace("/", "."), value.strip()))
    return settings
