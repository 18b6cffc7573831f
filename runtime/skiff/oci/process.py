"""A process of the specification as the numbers and bytes that its set-up needs, ready before any namespace is entered."""

from __future__ import annotations

import os
import resource

from skiff.linux import capabilities, rlimits, scheduling
from skiff.oci import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.seccomp import Filter
    from skiff.spec.types import Process, Scheduler

DEFAULT_UMASK = 0o022


class ProcessPlan:
    """Plain data; `rlimits` are (name, number, soft, hard), capability sets are bits, `label` a file and what is written to it.

    `all_capabilities`: the process gets a user namespace, and with it every capability there.
    """

    __slots__ = (
        "affinity", "ambient", "args", "bounding", "console_size", "cwd", "effective", "env", "filter", "gid", "groups",
        "inheritable", "io_priority", "keyring", "label", "last_capability", "no_new_privileges", "oom_score_adj", "permitted",
        "personality", "rlimits", "scheduler", "terminal", "uid", "umask", "username",
    )  # fmt: skip

    def __init__(self, process: Process, *, all_capabilities: bool = False) -> None:
        self.args = [os.fsencode(argument) for argument in process["args"]]
        self.env = environment(process.get("env") or [])
        self.cwd = os.fsencode(process["cwd"])
        user = process.get("user") or {}
        self.uid, self.gid = user.get("uid") or 0, user.get("gid") or 0
        self.groups = list(user.get("additionalGids") or [])
        self.username = os.fsencode(user.get("username") or "")
        umask = user.get("umask")  # null is as good as none
        self.umask = DEFAULT_UMASK if umask is None else umask
        self.no_new_privileges = bool(process.get("noNewPrivileges"))
        self.oom_score_adj = process.get("oomScoreAdj")
        self.rlimits = [
            (limit["type"], rlimits.NUMBERS[limit["type"]], _signed(limit["soft"]), _signed(limit["hard"]))
            for limit in process.get("rlimits") or []
        ]
        self.terminal = bool(process.get("terminal"))
        size = process.get("consoleSize")
        self.console_size = (size["height"], size["width"]) if size else None
        self.label = labels.for_exec(process)
        self.filter: Filter | None = None
        self.keyring = b""
        self.personality: int | None = None
        self._set_scheduling(process)
        self._set_capabilities(process, all_capabilities)

    def _set_scheduling(self, process: Process) -> None:
        self.scheduler = _scheduler(process["scheduler"]) if process.get("scheduler") else None
        priority = process.get("ioPriority")
        self.io_priority = (scheduling.IO_CLASSES[priority["class"]], priority.get("priority") or 0) if priority else None
        affinity = process.get("execCPUAffinity") or {}
        self.affinity = [processors(affinity.get("initial") or ""), processors(affinity.get("final") or "")]

    def _set_capabilities(self, process: Process, everything: bool) -> None:
        asked = process.get("capabilities") or {}
        self.last_capability = capabilities.last()
        # What this host's root itself lacks cannot be granted.
        ours = (2 << self.last_capability) - 1 if everything else capabilities.permitted()
        self.bounding = capabilities.mask(asked.get("bounding") or []) & ours
        self.permitted = capabilities.mask(asked.get("permitted") or []) & ours
        self.effective = capabilities.mask(asked.get("effective") or []) & self.permitted
        self.inheritable = capabilities.mask(asked.get("inheritable") or []) & ours
        self.ambient = capabilities.mask(asked.get("ambient") or []) & self.permitted & self.inheritable


def environment(entries: list[str]) -> dict[bytes, bytes]:
    """Name to value; of two with the same name the last one holds, and an entry without a value is none."""
    found = {}
    for entry in entries:
        name, equals, value = os.fsencode(entry).partition(b"=")
        if equals and name:
            found[name] = value
    return found


def _signed(limit: int) -> int:
    """RLIM_INFINITY comes as 2**64 - 1, and setrlimit wants it as -1."""
    return resource.RLIM_INFINITY if limit >= 1 << 63 else limit


def _scheduler(wanted: Scheduler) -> scheduling.Attributes:
    flags = sum(scheduling.FLAGS[name] for name in set(wanted.get("flags") or ()))
    names = ("nice", "priority", "runtime", "deadline", "period")
    return scheduling.Attributes(0, scheduling.POLICIES[wanted["policy"]], flags, *(wanted.get(name) or 0 for name in names))


def processors(text: str) -> set[int]:
    """The numbers of a list such as 0-3,7; ValueError if it is none."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.strip().partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def ignored_capabilities(process: Process, *, everything: bool) -> list[str]:
    """Those asked for that nobody knows, or that we have not to give: the specification has them ignored, with a warning.

    `everything`: in a user namespace of its own a process has all that the kernel knows.
    """
    asked = process.get("capabilities") or {}
    names = {name for names in asked.values() for name in names or ()}  # type: ignore[attr-defined]  # a TypedDict's values
    ours = (2 << capabilities.last()) - 1 if everything else capabilities.permitted()
    return sorted(name for name in names if not ours >> capabilities.NUMBERS.get(name, capabilities.MOST) & 1)
