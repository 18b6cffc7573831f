"""What systemd says of units: of all that a run declares at once, and, where it can be, without a program to start for it."""

import os

from fleet.agent import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence

FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# In the order in which systemctl shows them.
PROPERTIES = ("LoadState", "ActiveState", "SubState", "FragmentPath", "UnitFileState", "NeedDaemonReload")
OWN = "/usr/bin/systemctl", "/bin/systemctl"  # any other is somebody's idea of systemd, and is to be asked
SHOWN = "--property="


class Units:
    """The properties of `names`, asked when first needed."""

    def __init__(self, names: "Sequence[str]") -> None:
        self.names = list(dict.fromkeys(names))
        self._found: "Optional[Dict[str, Dict[str, str]]]" = None

    def properties(self, name: str) -> "Dict[str, str]":
        """One unit's properties; `UnitFileState` is the disk's, not what systemd remembers."""
        if self._found is None:
            self._found = self._ask()
        return self._found[name]

    def _ask(self) -> "Dict[str, Dict[str, str]]":
        told = _told(self.names, PROPERTIES, True)
        if told is not None:
            return dict(zip(self.names, told))
        done = process.run(["systemctl", "show", "--no-pager", "-p", ",".join(PROPERTIES), *self.names])
        if done.status != 0:
            raise done.failure("systemd does not answer", "this host must run systemd as its first process")
        blocks = [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in done.stdout.split("\n\n")]
        blocks = [block for block in blocks if block]
        if len(blocks) != len(self.names):
            raise done.failure("systemd told of {} units where {} were asked for".format(len(blocks), len(self.names)))
        found = dict(zip(self.names, blocks))
        self._ask_enabled(found)
        return found

    def _ask_enabled(self, found: "Dict[str, Dict[str, str]]") -> None:
        names = [name for name in self.names if _has_file(found[name])]
        if not names:
            return
        states = process.run(["systemctl", "is-enabled", *names]).stdout.split()
        if len(states) == len(names):
            for name, state in zip(names, states):
                found[name]["UnitFileState"] = state


def answer(argv: "Sequence[str]") -> "Optional[process.Finished]":
    """What a systemctl would say that is asked whether one unit is active, or for some of its properties.

    None where the program itself has to be asked: for anything else, where the answer is no, and where systemd does not tell.
    """
    if len(argv) == 3 and list(argv[:2]) == ["systemctl", "is-active"]:
        told = _told([argv[2]], ["ActiveState"], False)
        return process.Finished(argv, 0, "active\n", "") if told == [{"ActiveState": "active"}] else None
    if len(argv) == 4 and list(argv[:2]) == ["systemctl", "show"] and argv[2].startswith(SHOWN):
        wanted = set(argv[2][len(SHOWN) :].split(","))
        names = [name for name in PROPERTIES if name in wanted]
        told = _told([argv[3]], names, False) if len(names) == len(wanted) else None
        if told is not None:
            return process.Finished(argv, 0, "".join("{}={}\n".format(name, told[0][name]) for name in names), "")
    return None


def _told(units: "Sequence[str]", names: "Sequence[str]", on_disk: bool) -> "Optional[List[Dict[str, str]]]":
    """The properties of units, as systemd's first process tells them; None where it has to be asked by way of systemctl.

    `on_disk`: `UnitFileState` is the disk's, not what systemd remembers.
    """
    if process.which("systemctl") not in OWN:
        return None
    from fleet.agent import manager  # not every run has units

    if not all(map(manager.askable, units)):
        return None
    try:
        with manager.Manager(manager.SOCKET) as first:
            found = first.properties(units, names)
            named = [one for one in range(len(found)) if on_disk and _has_file(found[one])]
            for one, state in zip(named, first.on_disk([units[one] for one in named])):
                found[one]["UnitFileState"] = state or found[one]["UnitFileState"]
            return found
    except (LookupError, OSError, ValueError):
        return None  # whatever is wrong, systemctl says it


def _has_file(found: "Dict[str, str]") -> bool:
    return bool(found.get("UnitFileState")) and found.get("LoadState") != "not-found"


def unit_files(name: str) -> "List[str]":
    """Where a unit's file may lie, a template's for an instance."""
    stem, at, rest = name.partition("@")
    names = [name] + ([stem + at + "." + rest.rpartition(".")[2]] if at else [])
    return [os.path.join(folder, one) for folder in FOLDERS for one in names]


def control(verb: str, name: str = "") -> process.Finished:
    """Run one systemctl verb, for a unit or for systemd itself.

    Raises:
        AgentError: it failed; for a unit, with the end of its journal.
    """
    done = process.run(["systemctl", verb] + ([name] if name else []))
    if done.status == 0:
        return done
    error = done.failure("systemctl {} failed".format(" ".join([verb, name]).strip()))
    if name and verb in ("start", "restart", "reload"):
        error.details = (error.details + "\n" + last_words(name)).strip()
    raise error


def forgive(name: str) -> None:
    """Have systemd count a unit's starts anew: its limit is for a unit that fails by itself, not for one that is declared."""
    process.run(["systemctl", "reset-failed", name])  # a unit that is not loaded has no count, and that is no fault


def last_words(name: str) -> str:
    """The end of a unit's journal, for an error's details."""
    said = process.run(["journalctl", "-u", name, "-n", "15", "--no-pager", "-o", "cat"], timeout=10)
    text = said.stdout.strip()
    return "its journal ends:\n" + text if said.status == 0 and text else ""
