"""A tar.gz unpacked as the whole of a directory, every file of which is checked."""

import os
import stat

from fleet.agent import atomic, checksum, diff, process, tree
from fleet.agent.change import Change
from fleet.agent.document import look, require_parent
from fleet.agent.errors import AgentError, Left, from_os
from fleet.agent.forecast import DIRECTORY, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

CURE = "send it again: `./inv upgrade --to` that version or its bundle's file, with --allow-downgrade where it is older"


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether it is another archive, or one of its files is not as it was unpacked."""
    path = want["path"]
    found = None if host.forecast.takes(path) else look(path)
    if found is None and want["content"] is None:
        raise AgentError("{} is not here".format(path), "", CURE)
    if found is None:
        require_parent(path, host)
        change = Change("create", "unpack {}".format(path), diff.of_value(path, "absent", _told(want)))
    elif not stat.S_ISDIR(found.st_mode):
        raise AgentError("{} is not a directory".format(path), "", "move it away and run again")
    else:
        known = host.state.read_json(_manifest(path)) or {}
        if want["content"] is None:
            _insist_on_whole(path, known)
            return None
        lines = _differences(want, known, path)
        if not lines:
            return None
        told = lines[0] if len(lines) == 1 else "{} differences".format(len(lines))
        change = Change("update", "unpack {} anew: {}".format(path, told))
        change.diff = diff.cut("".join("{}: {}\n".format(path, line) for line in lines))
    change.contents = [want["content"]]
    return change


def apply(want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Build the directory aside, then swap it into place."""
    path = want["path"]
    aside = atomic.aside(path)
    try:
        _build(want, aside, host)
        described = tree.describe(aside)
        host.ledger.enter("archive", path, os.path.lexists(path), host.ledger.mark(digest_of(described)))
        tree.swap(aside, path)
    except OSError as error:
        raise from_os(error, path) from error
    finally:
        if os.path.lexists(aside):
            atomic.discard(aside)
    atomic.label(path)
    host.state.prepare("archives")
    host.state.write_json(_manifest(path), dict(_wanted(want), entries=described))


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """The directory will be there, and what is below it is not known yet."""
    forecast.paths[want["path"]] = DIRECTORY
    forecast.trees.add(want["path"])


def forget(path: str, host: "Host") -> None:
    """The directory is gone, and what is known of its files goes too."""
    manifest = host.state.path(_manifest(path))
    if os.path.exists(manifest):
        os.unlink(manifest)


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Remove the directory, where its files are those that were unpacked."""
    path = place.name
    if not os.path.lexists(path):
        return None
    if place.original:
        raise Left("another directory lay there before, of which no copy was kept")
    found = tree.describe(path)
    if not host.force and host.ledger.mark(digest_of(found)) not in [one["ours"] for one in place.entries]:
        known = host.state.read_json(_manifest(path)) or {"entries": {}}
        drift = tree.drift(known["entries"], found)
        if drift:
            raise Left("somebody else changed it since ({})".format(drift[0]))
    change = Change("remove", "remove {} and all below it".format(path), diff.of_value(path, "archive", "absent"))
    change.act = lambda: _remove(path)
    return change


def _remove(path: str) -> None:
    try:
        atomic.take_away(path)
    except OSError as error:
        raise from_os(error, path) from error


def digest_of(described: "Dict[str, str]") -> str:
    """What tells a directory's files again. Byte code is none of them: interpreters and the runtime's commands add to it."""
    import json  # in a run with changes alone

    own = {name: kind for name, kind in described.items() if not tree.is_byte_code(name, kind)}
    return checksum.of(json.dumps(own, sort_keys=True).encode("ascii"))


def _insist_on_whole(path: str, known: "Dict[str, Any]") -> None:
    """Refuse a directory that is not as it was unpacked, for there is nothing to mend it with."""
    if "entries" not in known:
        raise AgentError("{} was not unpacked by Skiff: whether it is whole is not known".format(path), "", CURE)
    drift = tree.drift(known["entries"], tree.describe(path))
    if drift:
        raise AgentError("{} is not as it was unpacked".format(path), "\n".join(drift[:12]), CURE)


def _differences(want: "Dict[str, Any]", known: "Dict[str, Any]", path: str) -> "list[str]":
    lines = [
        "{}: {} -> {}".format(name, known.get(name, "unknown"), value)
        for name, value in _wanted(want).items()
        if known.get(name) != value
    ]
    return lines or tree.drift(known["entries"], tree.describe(path))


def _wanted(want: "Dict[str, Any]") -> "Dict[str, Any]":
    return {"sha256": want["content"]["sha256"], "compile_with": want["compile_with"], "links": dict(want["links"])}


def _manifest(path: str) -> str:
    return os.path.join("archives", checksum.of(os.fsencode(path))[:32] + ".json")


def _told(want: "Dict[str, Any]") -> str:
    return "archive of {} bytes, sha256 {}".format(want["content"]["size"], want["content"]["sha256"])


def _build(want: "Dict[str, Any]", aside: str, host: "Host") -> None:
    with host.contents.open(want["content"]) as stream:
        tree.unpack(stream, aside)
    tree.lay_links(aside, want["links"])
    if want["compile_with"]:
        _compile(want["compile_with"], aside, want["path"])


def _compile(python: str, folder: str, path: str) -> None:
    """Byte code that is never checked against its source, for every run checks that; smaller without each expression's columns."""
    options = ["-q", "-d", path, "--invalidation-mode", "unchecked-hash"]
    argv = [python, "-I", "-X", "no_debug_ranges", "-m", "compileall", *options, folder]
    done = process.run(argv, timeout=600)
    if done.status != 0:
        raise done.failure("the byte code of {} cannot be written".format(path), "is {} a Python 3.7 or later?".format(python))
    runtime = os.path.join(folder, "skiff", "__main__.py")
    if os.path.exists(runtime):
        process.run([python, "-I", "-S", runtime, "bytecode"], timeout=600)  # without it commands start slower, no more
