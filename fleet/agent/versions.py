"""Which versions of the runtime lie on a host, which one is current, and which ones its processes run.

Its text also runs alone, with the directory of the versions and that of the agent, and prints what it finds as JSON: so it imports
nothing of the agent.

    <home>/<version>/manifest.json    what a bundle says of itself
    <home>/current                    -> <version>
    <agent>/versions.json             {"past": [version, ...]}: those that were current before, the last one last

`past` is written before `current` is swapped: after a cut between the two its last entry is the current version and does not count.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

HOME = "/opt/skiff"
AGENT = "/var/lib/skiff-agent"
PAST = "versions.json"
# 0.2.0rc1 comes before 0.2.0, and 0.2.0+site1 after it.
FORM = r"(\d+(?:\.\d+)*)(?:[.-]?([a-z]+[.-]?\d*))?(\+[0-9A-Za-z.]+)?\Z"


def order(version: str) -> "Optional[Tuple[Any, ...]]":
    """What sorts versions by age; None where one is of no known form."""
    import re  # slow to import, as json is: a run without changes reads a link, and does without

    found = re.match(FORM, version)
    if found is None:
        return None
    numbers = [int(part) for part in found.group(1).split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    early = found.group(2) or ""
    return tuple(numbers), not early, _natural(early), _natural(found.group(3) or "")


def _natural(text: str) -> "Tuple[Tuple[int, int, str], ...]":
    """A text whose numbers sort as numbers."""
    import re

    parts = re.findall(r"\d+|\D+", text)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def current(home: str) -> "Optional[str]":
    """The version that `current` leads to; None where there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(home, "current")))
    except OSError:
        return None


def kept(home: str) -> "Dict[str, Dict[str, Any]]":
    """What each version that lies there says of itself; a directory without a bundle's manifest is nobody's version."""
    found = {}
    for name in os.listdir(home) if os.path.isdir(home) else ():
        path = os.path.join(home, name)
        if name.startswith(".") or os.path.islink(path):
            continue
        manifest = _read(os.path.join(path, "manifest.json"))
        if isinstance(manifest, dict) and manifest.get("name") == "skiff" and manifest.get("version") == name:
            found[name] = {"follows": manifest.get("follows"), "shims": manifest.get("shims")}
    return found


def past(state: str, now: "Optional[str]") -> "List[str]":
    """The versions that were current before, the last one last."""
    return [one for one in written(state) if one != now]


def written(state: str) -> "List[str]":
    """The same as it is written, with what a cut left at its end."""
    found = _read(os.path.join(state, PAST))
    versions = found.get("past") if isinstance(found, dict) else None
    return [one for one in versions if isinstance(one, str)] if isinstance(versions, list) else []


def _read(path: str) -> "Any":
    import json

    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read().decode("utf-8"))
    except (OSError, ValueError):
        return None


def running(home: str, proc: str = "/proc") -> "List[Tuple[str, str]]":
    """What each process of the runtime is (daemon, launcher, waiting, shim, client), its version; "current" where none is told."""
    head = os.fsencode(home) + b"/"
    found = []
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, pid, "cmdline"), "rb") as stream:
                words = stream.read().split(b"\0")
            with open(os.path.join(proc, pid, "comm"), "rb") as stream:
                name = stream.read().strip()
        except OSError:
            continue  # it has ended
        for word, role in zip(words, words[1:]):
            if word.startswith(head) and word.endswith(b"/skiff/__main__.py"):
                version = os.path.normpath(os.fsdecode(word[len(head) :])).split("/")[0]
                found.append((_role(role, name), version))
                break
    return found


def _role(word: bytes, name: bytes) -> str:
    if word == b"launcher":
        # One shim and its maker wait for the next container.
        return {b"skiff-launcher": "launcher", b"skiff-waiting": "waiting"}.get(name, "shim")
    return "daemon" if word == b"skiffd" else "client"


def in_use(home: str, proc: str = "/proc") -> "Set[str]":
    """The versions that processes run; "current" among them if one does not tell."""
    return {version for _, version in running(home, proc)}


def describe(home: str, state: str, proc: str = "/proc") -> "Dict[str, Any]":
    """All of it, as plain data."""
    now = current(home)
    processes = running(home, proc)
    roles = {role: sorted({version for one, version in processes if one == role}) for role in ("daemon", "launcher")}
    shims: "Dict[str, int]" = {}
    for role, version in processes:
        if role == "shim":
            shims[version] = shims.get(version, 0) + 1
    return dict(roles, current=now, past=past(state, now), kept=kept(home), shims=shims)


if __name__ == "__main__":
    import json

    sys.stdout.write(json.dumps(describe(sys.argv[1], sys.argv[2])) + "\n")
