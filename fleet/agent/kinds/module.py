"""A kernel module: loaded now, or built in, and named in /etc/modules-load.d for the next boot."""

import os

from fleet.agent import diff, process
from fleet.agent.change import Change
from fleet.agent.document import Document
from fleet.agent.errors import AgentError, Left
from fleet.agent.facts import read
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

FOLDER = "/etc/modules-load.d"
LOADED = "/sys/module"
SIGNS = {"br_netfilter": "/proc/sys/net/bridge", "nf_conntrack": "/proc/sys/net/netfilter"}


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether it is to be loaded, or to be named in its file."""
    name = want["name"]
    loaded, change = is_loaded(name), _document(name).compare(host)
    if loaded:
        return change
    if not _loadable(name) and not host.forecast.installing:
        raise AgentError(
            "this kernel has no module {}".format(name),
            "modprobe --dry-run does not find it for kernel {}".format(host.facts["kernel"]),
            "install the package that has it (kernel-modules-extra on EL 8 and later), or start the kernel that is installed",
        )
    text = change.diff if change is not None else ""
    return Change("load", "load {}".format(name), text + diff.of_value("module " + name, "absent", "loaded"))


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Load it, then write its file."""
    name = want["name"]
    if not is_loaded(name):
        host.ledger.enter("module", name, "absent", "loaded")
        done = process.run(["modprobe", name])
        if done.status != 0 or not is_loaded(name):
            raise done.failure(
                "the module {} cannot be loaded".format(name), "look for its package, or for a file that blacklists it"
            )
    if _document(name).compare(host) is not None:
        _document(name).write(change, host)


def foresee(_want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The kernel parameters that it brings will be there."""
    forecast.modules = True


def undo(place: "Place", _host: "Host") -> "Optional[Change]":
    """Unload it, where nothing uses it."""
    name = place.name
    there = os.path.join(LOADED, name.replace("-", "_"))
    if not os.path.isdir(there):
        return None
    if read(os.path.join(there, "refcnt")).strip() not in ("", "0"):
        raise Left("it is in use; it is gone after the next boot", over=True)
    change = Change("unload", "unload {}".format(name), diff.of_value("module " + name, "loaded", "absent"))
    change.act = lambda: _unload(name)
    return change


def _unload(name: str) -> None:
    done = process.run(["modprobe", "-r", name])
    if done.status != 0:
        raise Left("it cannot be unloaded ({}); it is gone after the next boot".format(done.last_lines(1)), over=True)


def _document(name: str) -> Document:
    return Document(os.path.join(FOLDER, "skiff-{}.conf".format(name)), data="{}\n".format(name).encode("utf-8"))


def is_loaded(name: str) -> bool:
    """Whether the kernel has it: as a module, built in, or (in a container that sees no modules) by what it brings."""
    plain = name.replace("-", "_")
    if os.path.isdir(os.path.join(LOADED, plain)) or os.path.exists(SIGNS.get(plain, "")):
        return True
    if plain in read("/proc/filesystems").split():
        return True
    built_in = read("/lib/modules/{}/modules.builtin".format(os.uname().release)).replace("-", "_")
    return "/{}.ko".format(plain) in built_in


def _loadable(name: str) -> bool:
    return process.run(["modprobe", "--dry-run", "--quiet", name]).status == 0
