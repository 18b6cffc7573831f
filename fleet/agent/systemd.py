"""What systemd says of units: one question for all that a run declares, and one for how they are enabled."""

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
PROPERTIES = ("Id", "Names", "LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "FragmentPath", "Result")


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
        names = [name for name in self.names if found[name].get("UnitFileState") and found[name].get("LoadState") != "not-found"]
        if not names:
            return
        states = process.run(["systemctl", "is-enabled", *names]).stdout.split()
        if len(states) == len(names):
            for name, state in zip(names, states):
                found[name]["UnitFileState"] = state


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
