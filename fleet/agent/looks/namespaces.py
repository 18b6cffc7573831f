"""The six namespaces of a container, each really made, by a process of its own, and seen to be another than this one's."""

import os
import traceback

from fleet.agent.looks import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from fleet.agent.host import Host

KINDS = {
    "cgroup": kernel.NEWCGROUP,
    "ipc": kernel.NEWIPC,
    "mnt": kernel.NEWNS,
    "net": kernel.NEWNET,
    "pid": kernel.NEWPID,
    "uts": kernel.NEWUTS,
}


def look(_given: "Dict[str, Any]", _host: "Host") -> "Dict[str, str]":
    """Each kind with nothing where it works, or with what went wrong."""
    return {kind: _made(kind, flag) for kind, flag in KINDS.items()}


def _made(kind: str, flag: int) -> str:
    own = os.readlink("/proc/self/ns/" + kind)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, _inside(kind, flag).encode("utf-8", "replace"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    if not said.startswith(kind + ":"):
        return said or "its process ended without a word"
    return "" if said != own else "it is the host's own: {}".format(own)


def _inside(kind: str, flag: int) -> str:
    """The link of the new namespace, or the fault. A process stays in its pid namespace; its children come into the new one."""
    try:
        kernel.unshare(flag)
        return os.readlink("/proc/self/ns/" + kind) if kind != "pid" else _of_child()
    except OSError as error:
        return error.strerror or "error {}".format(error.errno)
    except Exception:
        return traceback.format_exc(limit=1)


def _of_child() -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # The first of its namespace; /proc is still the host's, and knows it by the host's number.
            os.write(
                writing, os.readlink("/proc/self/ns/pid").encode("ascii") if os.getpid() == 1 else b"it is not the first process"
            )
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode("ascii")
    os.waitpid(child, 0)
    return said
