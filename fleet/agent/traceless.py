"""A dry run of the package manager that leaves no trace: cache, logs, history and package database are copies in memory.

<scratch>/db         the package database: who opens it as root writes to its files beside
<scratch>/cache      the host's metadata as links, or none: then it is fetched to here
<scratch>/lib, log   history and logs; history says which packages a removal takes along
"""

import contextlib
import os
import shutil

from fleet.agent import process, scratch
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Tuple

CACHE = "/var/cache/dnf"
HISTORY = "/var/lib/dnf"
NEEDED = 128 << 20  # bytes for metadata: a full /run is worse than a plan that cannot be made
WRITING = ("subscription-manager", "product-id")  # plugins that write even then
EPHEMERAL = ("__db.", ".rpm.lock")


@contextlib.contextmanager
def dry_run(tool: str, cached: bool) -> "Iterator[Tuple[List[str], Dict[str, str]]]":
    """Options and environment for one dry run. `cached`: with the metadata that the host has, nothing fetched.

    Raises:
        AgentError: memory has no room for it.
    """
    scratch.sweep()  # what a killed run left takes memory
    with scratch.folder() as folder:
        for name in ("cache", "db", "lib", "log"):
            os.mkdir(os.path.join(folder, name))
        database = process.run(["rpm", "--eval", "%_dbpath"], plainly=True).stdout.strip() or "/var/lib/rpm"
        _require_room(folder, database, cached)
        _copy(database, os.path.join(folder, "db"), "")
        with open(os.path.join(folder, ".rpmmacros"), "w", encoding="utf-8") as stream:
            stream.write("%_dbpath {}/db\n".format(folder))
        options = ["--setopt=cachedir={}/cache".format(folder), "--setopt=persistdir={}/lib".format(folder)]
        if tool == "yum":
            options += ["--setopt=logfile={}/log/yum.log".format(folder), "--setopt=history_record=0"]
        else:
            _copy(HISTORY, os.path.join(folder, "lib"), "history.sqlite")
            options.append("--setopt=logdir={}/log".format(folder))
        if cached:
            _link_metadata(CACHE, os.path.join(folder, "cache"))
            options.append("--cacheonly")
        options += ["--disableplugin=" + name for name in WRITING]
        yield options, {"HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"}


def _require_room(folder: str, database: str, cached: bool) -> None:
    found = os.statvfs(folder)
    needed = sum(os.path.getsize(path) for path in _files(database, "")) + (0 if cached else NEEDED)
    if found.f_bavail * found.f_frsize < needed:
        raise AgentError(
            "{} has no room to find out what the package manager would do".format(scratch.parent()),
            "{} MiB are needed, {} MiB are free".format(needed >> 20, found.f_bavail * found.f_frsize >> 20),
            "run `dnf makecache` on the host, so that nothing has to be fetched, or provision without a plan",
        )


def _files(folder: str, prefix: str) -> "List[str]":
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    wanted = [name for name in names if name.startswith(prefix) and not name.startswith(EPHEMERAL) and not name.endswith("-shm")]
    return [os.path.join(folder, name) for name in wanted if os.path.isfile(os.path.join(folder, name))]


def _copy(source: str, target: str, prefix: str) -> None:
    for path in _files(source, prefix):
        shutil.copy(path, target)


def _link_metadata(source: str, target: str) -> None:
    """The host's metadata as links: with --cacheonly none of it is written, and what is worked out of it is renamed into place."""
    for parent, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name != "packages"]
        beside = os.path.join(target, os.path.relpath(parent, source))
        os.makedirs(beside, exist_ok=True)
        for name in names:
            if parent != source or name.endswith((".solv", ".solvx")):
                os.symlink(os.path.join(parent, name), os.path.join(beside, name))
