"""What was at a path before it was changed: entered in the ledger, told again, and put back in one step."""

import json
import os
import stat

from fleet.agent import atomic, diff, systemd
from fleet.agent.change import Change
from fleet.agent.document import digest, look
from fleet.agent.errors import Left, from_os
from fleet.agent.ledger import ABSENT, Place
from fleet.agent.masked import MISSING, masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, Optional, Tuple

    from fleet.agent.host import Host


def enter(path: str, host: "Host", ours: str, keep: bool, private: bool = False) -> "Optional[str]":
    """Write down what is there, and with `keep` copy it, `private` where it is secret; where the copy is.

    `ours` is the trace of what will be there.

    Raises:
        AgentError: it cannot be copied or written down; nothing may be replaced then.
    """
    before = described(path, host)
    copy = host.backups.keep(path, private) if keep else None
    if copy is not None:
        before["copy"] = copy
    host.ledger.enter("file", path, before, ours)
    return copy


def trace(path: str, host: "Host") -> str:
    """What tells whether the same thing is at a path again: its text, where a link leads, or that there is nothing."""
    found = look(path)
    if found is None:
        return ABSENT
    if stat.S_ISLNK(found.st_mode):
        return to(os.readlink(path))
    return host.ledger.mark(digest(path)) if stat.S_ISREG(found.st_mode) else "neither file nor link"


def to(target: str) -> str:
    """The trace of a link."""
    return "link " + target


def undo(place: Place, host: "Host") -> "Optional[Change]":
    """The change that puts back what was there, or None where it is there.

    Raises:
        Left: it is somebody else's now, or no copy was kept.
    """
    path, original, now = place.name, place.original, described(place.name, host)
    if alike(original, now):
        return None
    refuse_foreign(place, trace(path, host), host)
    if original["type"] == ABSENT:
        change = Change("remove", "remove {}".format(path))
        change.act = lambda: _remove(path)
        return change
    if not os.path.isdir(os.path.dirname(path)):
        raise Left("its directory {} is gone".format(os.path.dirname(path)))
    change = Change("restore", "restore {}".format(path))
    copy = copy_of(place)
    if copy is None and original.get("text") != now.get("text"):
        raise Left("no copy was kept of the file that was there before")
    change.act = lambda: put_back(path, original, copy or path)
    secret = any(one.get("secret") for one in place.entries)
    change.diff = told(path, dict(original, copy=copy or path), now, secret)
    return change


def refuse_foreign(place: Place, now: str, host: "Host") -> None:
    """Insist that Skiff itself left there what is there.

    Raises:
        Left: somebody else did.
    """
    if host.force or now in ours(place):
        return
    raise Left("it was {} since by somebody else".format("removed" if now == ABSENT else "changed"))


def ours(place: Place) -> "set[str]":
    """The traces of all that Skiff left at a place; a run cut before its change left what was there before."""
    last = place.last["before"]
    return {one["ours"] for one in place.entries} | ({last["text"]} if last["type"] == "file" else set())


def copy_of(place: Place) -> "Optional[str]":
    """A copy of the text that was there first: a first change of its mode alone made none, a later one did."""
    wanted = place.original.get("text")
    copies = [one["before"].get("copy") for one in place.entries if one["before"].get("text") == wanted]
    return next((copy for copy in copies if copy and os.path.isfile(copy)), None)


def told(path: str, before: "Dict[str, Any]", now: "Dict[str, Any]", secret: bool) -> str:
    """What would differ, for a person."""
    lines = [
        diff.of_value("{} {}".format(path, name), str(now[name]), str(before[name]))
        for name in ("mode", "uid", "gid")
        if name in before and name in now and before[name] != now[name]
    ]
    if before["type"] != "file":
        return diff.of_value(path, now.get("target", now["type"]), before["target"])
    if before["text"] != now.get("text") and secret:
        lines.append("{}: content not shown\n".format(path))
    elif before["text"] != now.get("text"):
        old = text_of(path) if now["type"] == "file" else None
        lines.append(diff.of_texts(path, *_shown(old, text_of(before["copy"]))))
    return "".join(lines)


def _shown(old: "Optional[bytes]", new: "Optional[bytes]") -> "Tuple[Optional[bytes], Optional[bytes]]":
    """Two texts as a diff may show them: JSON objects without what is named like a secret, as their own kind shows them."""
    try:
        values = [json.loads((text or b"{}").decode("utf-8")) for text in (old, new)]
    except (RecursionError, ValueError):
        return old, new
    masks = [masked(values[0], values[0], []), masked(values[1], values[0] if old else MISSING, [])]
    if masks == values:
        return old, new
    found = [json.dumps(mask, indent=2, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n" for mask in masks]
    return found[0] if old is not None else None, found[1] if new is not None else None


def text_of(path: str) -> "Optional[bytes]":
    """As much of a file as a diff shows, or None where there is none."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as stream:
        return stream.read(diff.LARGEST + 1)


def put_back(path: str, before: "Dict[str, Any]", source: str, validate: "Optional[Callable[[str], None]]" = None) -> None:
    """Make `path` the file or link that `before` tells of, its text from `source`, its time of change as it was."""
    if before["type"] == "link":
        atomic.link(path, before["target"])
        return
    atomic.write(path, _chunks(source), int(before["mode"], 8), before["uid"], before["gid"], validate)
    os.utime(path, ns=(before["mtime"], before["mtime"]), follow_symlinks=False)


def described(path: str, host: "Host") -> "Dict[str, Any]":
    """What is there, as the ledger keeps it."""
    found = look(path)
    if found is None:
        return {"type": ABSENT}
    if stat.S_ISLNK(found.st_mode):
        return {"type": "link", "target": os.readlink(path)}
    if not stat.S_ISREG(found.st_mode):
        return {"type": "other"}
    mode = "{:04o}".format(stat.S_IMODE(found.st_mode))
    owner = {"uid": found.st_uid, "gid": found.st_gid}
    return dict(owner, type="file", text=trace(path, host), mode=mode, mtime=found.st_mtime_ns)


def alike(original: "Dict[str, Any]", now: "Dict[str, Any]") -> bool:
    """Whether two such descriptions are of the same thing; when it was written does not count."""
    fields = ("type", "target", "text", "mode", "uid", "gid")
    return all(original.get(field) == now.get(field) for field in fields)


def _chunks(source: str) -> "Iterator[bytes]":
    with open(source, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            yield chunk


def _remove(path: str) -> None:
    try:
        os.unlink(path)
        atomic.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error
    if os.path.dirname(path) in systemd.FOLDERS:
        systemd.control("daemon-reload")
