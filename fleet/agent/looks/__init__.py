"""What a verification looks at by itself, where no program of the host's tells: one module a look, run in its own process.

`look(given, host)` answers plain data. What hangs in one, a dead file system or a name server, is killed when its time runs out.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import time

from fleet.agent import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from fleet.agent.host import Host

NAMES = frozenset(["boot", "cgroups", "clock", "copy_on_write", "drift", "mirrors", "namespaces", "room"])
CHUNK = 1 << 16


def run(name: str, given: "Dict[str, Any]", host: "Host", timeout: float) -> process.Finished:
    """A look's answer as JSON, or why there is none."""
    argv = ["look", name]
    if name not in NAMES:
        return process.Finished(argv, process.MISSING, "", "this agent has no look {}".format(name))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(name, given, host, writing)
    os.close(writing)
    try:
        said, ended = _collect(reading, time.monotonic() + timeout), True
    except TimeoutError:
        said, ended = b"", False
        os.killpg(child, signal.SIGKILL)
    finally:
        os.close(reading)
    status = os.waitpid(child, 0)[1]
    if not ended:
        return process.Finished(argv, process.TIMED_OUT, "", "")
    text = said.decode("utf-8", "replace")
    return process.Finished(argv, 0, text, "") if status == 0 else process.Finished(argv, 1, "", text)


def _answer(name: str, given: "Dict[str, Any]", host: "Host", writing: int) -> None:
    """In the child: the answer, or the fault; nothing of the agent's goes on."""
    status = 1
    try:
        os.setpgid(0, 0)
        _let_go(writing)
        try:
            found = importlib.import_module("fleet.agent.looks." + name).look(given, host)
            text, status = json.dumps(found), 0
        except Exception as error:
            text = "{}: {}".format(type(error).__name__, error)
        left = text.encode("utf-8", "surrogateescape")
        while left:
            left = left[os.write(writing, left) :]
    finally:
        os._exit(status)


def _let_go(kept: int) -> None:
    """Close what is the agent's: its lock, above all, is not to be held by a look that outlives it."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _collect(reading: int, end: float) -> bytes:
    """All that is written until the other end is closed.

    Raises:
        TimeoutError: it stays open.
    """
    parts: "List[bytes]" = []
    while True:
        if not select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError()
        part = os.read(reading, CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
