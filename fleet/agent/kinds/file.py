"""A regular file."""

import os
import stat

from fleet.agent import atomic, repositories
from fleet.agent.change import Change
from fleet.agent.document import Document, look
from fleet.agent.errors import AgentError, from_os
from fleet.agent.forecast import ABSENT, FILE, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs."""
    if want["state"] == "absent":
        return _check_absent(want["path"], host)
    return _document(want).compare(host)


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Write or remove the file."""
    if want["state"] != "absent":
        _document(want).write(change, host)
        return
    from fleet.agent import original

    path = want["path"]
    change.backup = original.enter(path, host, ABSENT, want["backup"], want["secret"])
    try:
        os.unlink(path)
        atomic.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The file will be there, or gone; and with it, if it is one, a package repository."""
    gone = want["state"] == "absent"
    forecast.paths[want["path"]] = ABSENT if gone else FILE
    folder, name = os.path.split(want["path"])
    if folder == repositories.FOLDER and name.endswith(repositories.SUFFIX):
        forecast.repositories[name[: -len(repositories.SUFFIX)]] = None if gone else want["content"] or ""


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """What was at the path, whichever kind of resource changed it."""
    from fleet.agent import original

    return original.undo(place, host)


def _document(want: "Dict[str, Any]") -> Document:
    fields = ("content", "mode", "owner", "group", "backup", "secret", "validate")
    return Document(want["path"], **{name: want[name] for name in fields})


def _check_absent(path: str, host: "Host") -> "Optional[Change]":
    found = look(path)
    if found is None or host.forecast.takes(path):
        return None
    if stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is a directory, not a file".format(path), "", "declare a directory that is absent to remove it")
    return Change("remove", "remove {}".format(path))
