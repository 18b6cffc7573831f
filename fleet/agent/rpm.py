"""Which packages are installed: one question to the package database for all that a run declares."""

import os
import time

from fleet.agent import pattern, process
from fleet.agent.memory import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Dict, List, Optional, Sequence, Set, Tuple

NEEDED = r"(?m)^\s*(\S.*?) is needed by (?:\(installed\) )?(\S+)\s*$"
DAMAGED = "rpmdb open failed", "cannot open packages"  # in small letters, as the next one
REBUILD = "try `rpm --rebuilddb` on the host"
QUESTION = "packages"
PLACE = "%{_dbpath}"  # rpm says it first
SETTINGS = "/usr/lib/rpm/macros", "/usr/lib/rpm/rpmrc", "/etc/rpmrc"
SETTING_FOLDERS = "/etc/rpm", "/usr/lib/rpm/macros.d"
READERS = "-shm", ".lock"
REGION = "__db."
PATIENCE = 120.0  # seconds: a damaged Berkeley database (EL7) is waited for without end
UNREADABLE = "cannot open", "permission denied"


def query(argv: "Sequence[str]", looking: bool) -> process.Finished:
    """Ask the package database. Merely `looking`, without rights: root's rpm writes to the database's shared memory file."""
    return _ask(["-q", *argv], looking)


def _ask(argv: "Sequence[str]", looking: bool) -> process.Finished:
    if looking:
        done = process.run(["rpm", *argv], PATIENCE, plainly=True)
        # The lock of a transaction, which is for root, is asked for once all else was told.
        told = "\n".join(line for line in done.stderr.splitlines() if "transaction lock" not in line)
        if done.status != process.MISSING and not _told(UNREADABLE, told):
            return done
    return process.run(["rpm", *argv], PATIENCE)


def _told(phrases: "Sequence[str]", text: str) -> bool:
    return any(phrase in text.lower() for phrase in phrases)


class Installed:
    """What the database says of `names`, asked when first needed, and kept in mind while the database is as it was."""

    def __init__(self, names: "Sequence[str]", looking: bool, memory: Memory) -> None:
        self.names = list(dict.fromkeys(names))
        self._looking = looking
        self._memory = memory
        self._missing: "Optional[Set[str]]" = None
        self._packages: "Dict[str, List[str]]" = {}

    def provided(self, name: str) -> bool:
        """Whether an installed package is or provides `name`."""
        return name not in self._ask()

    def versions(self, name: str) -> "List[str]":
        """The installed ones of a package's versions, each as VERSION-RELEASE."""
        self._ask()
        return self._packages.get(name, [])

    def pinned(self, name: str, version: str) -> bool:
        """Whether a package of this very name is installed in a version, given as VERSION or VERSION-RELEASE."""
        return any(version in (one, one.rpartition("-")[0]) for one in self.versions(name))

    def _ask(self) -> "Set[str]":
        if self._missing is None:
            known = self._memory.recall(QUESTION, self.names)
            if known is None:
                known = self._asked()
            self._missing, self._packages = set(known["missing"]), known["packages"]
        return self._missing

    def _asked(self) -> "Dict[str, Any]":
        """The missing ones of the names, and the versions of each package that is or provides one."""
        begun = time.time()
        done = query(["--whatprovides", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n", *self.names, "--eval", PLACE], self._looking)
        if done.status == process.MISSING:
            raise done.failure("the package database cannot be read", "this host has no rpm: it is not of the CentOS family")
        if _told(DAMAGED, done.stderr):  # of which rpm goes on to say that it has nothing of all that was asked for
            raise done.failure("the package database cannot be read", REBUILD)
        place, missing, packages = "", set(), {}  # type: str, Set[str], Dict[str, List[str]]
        for line in done.stdout.splitlines() + done.stderr.splitlines():
            words = line.split()
            package, tab, version = line.partition("\t")
            if line.startswith("no package provides "):
                missing.add(words[-1])
            elif tab:
                packages.setdefault(package, []).append(version)
            elif not place and line.startswith("/"):
                place = line
            else:
                missing.update(name for name in self.names if (name.startswith("/") and name in words) or name + ":" in words)
        told = len(missing) + sum(map(len, packages.values()))
        if (
            done.status == process.TIMED_OUT
            or (done.status not in (0, 1) and len(missing) != done.status)
            or told < len(self.names)
        ):
            raise done.failure("the package database cannot be read", REBUILD)
        found = {"missing": sorted(missing), "packages": packages}
        # Which package a path belongs to depends on more than the database: on links among the path's directories.
        if place and not self._looking and not any(name.startswith("/") for name in self.names):
            self._memory.learn(QUESTION, self.names, _sources(place), begun, found)
        return found


def _sources(place: str) -> "List[str]":
    """The files that an answer is drawn from: the database, rpm, and all that could tell it of another database.

    What readers write to is left out: locks, and the shared memory of SQLite and of Berkeley's database.
    """
    home = os.environ.get("HOME", "/root")
    found = [process.which("rpm") or "", *SETTINGS, os.path.join(home, ".rpmmacros"), os.path.join(home, ".config/rpm/macros")]
    for folder in (place, *SETTING_FOLDERS):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        read = [name for name in names if not name.endswith(READERS) and not name.startswith(REGION)]
        found += [folder, *(os.path.join(folder, name) for name in read)]
    return found


def everything(looking: bool) -> "Dict[str, int]":
    """Every installed package, and when it was installed, in seconds since 1970."""
    done = query(["-a", "--qf", "%{NAME} %{INSTALLTIME}\n"], looking)
    if done.status != 0:
        raise done.failure("the package database cannot be read", REBUILD)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def removable(names: "Sequence[str]", going: "Collection[str]", looking: bool) -> "Tuple[List[str], Dict[str, str]]":
    """Which of `names` can go, and what others need, each with who needs it; `going` will be gone before."""
    left, needed = list(names), {}  # type: Tuple[List[str], Dict[str, str]]
    while left:
        done = _ask(["-e", "--test", *left], looking)
        found = {}
        for capability, other in pattern.findall(NEEDED, done.stdout + done.stderr):
            if other.rsplit("-", 2)[0] not in going:
                found.update({name: other for name in _providers(capability, looking) if name in left})
        if not found:
            break
        needed.update(found)
        left = [name for name in left if name not in found]
    return left, needed


def keys(looking: bool) -> "List[str]":
    """The signing keys that the database trusts, as packages' names with version and release."""
    return sorted(key for key in query(["gpg-pubkey"], looking).stdout.split() if key.startswith("gpg-pubkey-"))


def _providers(capability: str, looking: bool) -> "List[str]":
    name = capability.split(maxsplit=1)[0]
    return query(["--whatprovides", "--qf", "%{NAME}\n", name], looking).stdout.split()
