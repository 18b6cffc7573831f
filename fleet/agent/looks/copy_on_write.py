"""Whether an overlay on the engine's file system copies on write: one is mounted there, written to, and what lies below compared.

<root>/.skiff-verify.<pid>/   lower upper work merged; the mount is in a namespace of this process, and ends with it
"""

import os
import shutil
import stat

from fleet.agent import storage
from fleet.agent.looks import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from fleet.agent.host import Host

PREFIX = ".skiff-verify."


def look(given: "Dict[str, Any]", _host: "Host") -> "Dict[str, Any]":
    """What holds the root, and under `overlay` nothing where all went well, or what went wrong."""
    root = given["root"]
    if not os.path.isdir(root):
        return {"there": False}
    entry = storage.describe(root)
    return {"there": True, "type": entry["type"], "ftype": entry["ftype"], "overlay": _tried(root)}


def _tried(root: str) -> str:
    _sweep(root)
    folder = os.path.join(root, "{}{}".format(PREFIX, os.getpid()))
    try:
        os.mkdir(folder, 0o700)
        kernel.unshare(kernel.NEWNS)
        kernel.mount("", "/", "", kernel.REC | kernel.PRIVATE)
        return _written(folder)
    except OSError as error:
        return "{}{}".format(error.strerror or error, ": " + error.filename if error.filename else "")
    finally:
        kernel.LIBC.umount2(os.fsencode(os.path.join(folder, "merged")), 2)
        shutil.rmtree(folder, ignore_errors=True)


def _written(folder: str) -> str:
    """Changes and removes files of the lower directory through an overlay."""
    lower, upper, work, merged = (os.path.join(folder, name) for name in ("lower", "upper", "work", "merged"))
    for path in (lower, upper, work, merged):
        os.mkdir(path)
    for name in ("changed", "removed"):
        _write(os.path.join(lower, name), "below")
    kernel.mount("overlay", merged, "overlay", 0, "lowerdir={},upperdir={},workdir={}".format(lower, upper, work))
    _write(os.path.join(merged, "changed"), "above")
    os.unlink(os.path.join(merged, "removed"))
    if _read(os.path.join(lower, "changed")) != "below" or not os.path.exists(os.path.join(lower, "removed")):
        return "a write in the upper layer reached the lower one"
    if _read(os.path.join(upper, "changed")) != "above" or _read(os.path.join(merged, "changed")) != "above":
        return "a write was lost"
    mark = os.lstat(os.path.join(upper, "removed"))
    if os.path.lexists(os.path.join(merged, "removed")) or not stat.S_ISCHR(mark.st_mode):
        return "a file that was removed is still there"
    return ""


def _sweep(root: str) -> None:
    """Takes away what killed runs left."""
    for name in os.listdir(root):
        pid = name[len(PREFIX) :]
        if name.startswith(PREFIX) and not os.path.exists("/proc/" + pid):
            shutil.rmtree(os.path.join(root, name), ignore_errors=True)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as stream:
        return stream.read()
