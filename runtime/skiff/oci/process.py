"""A process of the specification as the numbers and bytes that its set-up needs, ready before any namespace is entered."""

from __future__ import annotations

import os
import resource

from skiff.linux import capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Process

DEFAULT_UMASK = 0o022


class ProcessPlan:
    """Plain data; `rlimits` are (name, number, soft, hard), capability sets are bits."""

    __slots__ = (
        "ambient", "args", "bounding", "cwd", "effective", "env", "gid", "groups", "inheritable", "last_capability",
        "no_new_privileges", "oom_score_adj", "permitted", "rlimits", "uid", "umask", "username",
    )  # fmt: skip

    def __init__(self, process: Process) -> None:
        self.args = [os.fsencode(argument) for argument in process["args"]]
        self.env = environment(process.get("env") or [])
        self.cwd = os.fsencode(process["cwd"])
        user = process.get("user") or {}
        self.uid, self.gid = user.get("uid", 0), user.get("gid", 0)
        self.groups = list(user.get("additionalGids") or [])
        self.username = os.fsencode(user.get("username") or "")
        self.umask = user.get("umask", DEFAULT_UMASK)
        self.no_new_privileges = bool(process.get("noNewPrivileges"))
        self.oom_score_adj = process.get("oomScoreAdj")
        self.rlimits = [
            (limit["type"], getattr(resource, limit["type"]), _signed(limit["soft"]), _signed(limit["hard"]))
            for limit in process.get("rlimits") or []
        ]
        self._set_capabilities(process)

    def _set_capabilities(self, process: Process) -> None:
        asked = process.get("capabilities") or {}
        ours = capabilities.permitted()  # what this host's root itself lacks cannot be granted
        self.last_capability = capabilities.last()
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
