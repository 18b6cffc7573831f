"""A program: lays out recorded hosts as directories, gathers the agent's facts with each as root, prints them as JSON.

What no file tells is answered from the recording: the kernel's release, the processors, a file system's room, a Python's
version. The agent's own code reads all else, from the operating system's own texts and links.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List
from unittest import mock

from fleet.agent import facts, process, storage

RELEASES = Path(__file__).parent / "releases"
CLONE_NEWUSER = 0x10000000
BLOCK = 4096
LACK, LACKING = "unshare(CLONE_NEWUSER), for who is not root", 77


def host(name: str) -> Dict[str, Any]:
    """A recording, with what all hosts of its release have; a file that it has as null is none of its own."""
    own = json.loads((RELEASES / f"{name}.json").read_text())
    base = json.loads((RELEASES / "base" / f"{own['base']}.json").read_text())
    files = {path: lines for path, lines in {**base["files"], **own["files"]}.items() if lines is not None}
    return {**base, **own, "files": files, "mounts": [*own["mounts"], *base["mounts"]]}


def lay(root: Path, recording: Dict[str, Any]) -> None:
    """The recording's files, links, programs and directories below `root`."""
    modules = f"/lib/modules/{recording['kernel']}/modules.dep"
    files = {**recording["files"], modules: recording["modules"], "/proc/self/mountinfo": recording["mounts"]}
    files["/proc/filesystems"] = ["nodev\tsysfs", "nodev\tproc", "nodev\ttmpfs", "\txfs"]
    for folder in (*recording["folders"], "/var/lib", "/opt", "/usr/sbin"):
        below(root, folder).mkdir(parents=True, exist_ok=True)
    for path, lines in files.items():
        written(below(root, path), "".join(f"{line}\n" for line in lines))
    for path in recording["programs"]:
        written(below(root, path), "").chmod(0o755)
    for path, target in recording["links"].items():
        below(root, path).parent.mkdir(parents=True, exist_ok=True)
        below(root, path).symlink_to(target)


def below(root: Path, path: str) -> Path:
    """Where an absolute path of the host lies."""
    return root / path.lstrip("/")


def written(path: Path, text: str) -> Path:
    """A file, its directory made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def gather(recording: Dict[str, Any]) -> Dict[str, Any]:
    """The agent's facts, with this host as the root."""
    python, room, version = recording["python"], recording["room"], ".".join(map(str, recording["python"]["version"]))
    kernel = SimpleNamespace(nodename="recorded", release=recording["kernel"], machine="x86_64")
    free, size = room["free"] // BLOCK, room["size"] // BLOCK
    answers = (
        (os, "uname", lambda: kernel),
        (os, "cpu_count", lambda: recording["cpus"]),
        (os, "statvfs", lambda _: SimpleNamespace(f_bavail=free, f_blocks=size, f_frsize=BLOCK)),
        (storage, "_xfs_ftype", lambda _: True),  # mkfs.xfs's default since 7.3
        (process, "run", lambda argv, *_: process.Finished(argv, 0, version.replace(".", " "), "")),
        (sys, "executable", python["path"]),
        (sys, "version_info", (*python["version"], "final", 0)),
    )
    with ExitStack() as stack:
        for owner, name, answer in answers:
            stack.enter_context(mock.patch.object(owner, name, answer))
        stack.enter_context(mock.patch.dict(os.environ, PATH="/usr/sbin:/usr/bin"))
        return facts.gather()


def main(names: List[str]) -> None:
    """Facts by name, on stdout."""
    if os.geteuid() and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        sys.stderr.write(f"{LACK}: {os.strerror(ctypes.get_errno())}\n")
        sys.exit(LACKING)
    outside, found = os.open("/", os.O_RDONLY | os.O_DIRECTORY), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            root, recording = Path(folder, name), host(name)
            lay(root, recording)
            os.chroot(root)
            os.chdir("/")
            found[name] = gather(recording)
            os.fchdir(outside)
            os.chroot(".")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
