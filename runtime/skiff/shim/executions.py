"""Further processes in the container (`exec`), each for the connection that asked for it.

    client:  {"op": "exec", "process": {as in config.json}}   with descriptors by SCM_RIGHTS: standard input, output and error;
                                                              with process.terminal a socket alone, to which the terminal is sent
    shim:    {"ok": true, "pid": 4711}                        the program runs
    shim:    {"ok": true, "exit": {"code", "signal", "finished"}}

The streams are the client's own pipes: nothing passes through the shim, and who goes away leaves the process to itself. It ends
with the container.
"""

from __future__ import annotations

import os

from skiff.cgroup.manager import open_manager
from skiff.errors import Conflict, InvalidInput, SkiffError, suppress
from skiff.oci import execution
from skiff.oci.execution import Execution
from skiff.shim import exit as ending
from skiff.shim.loop import READ
from skiff.shim.maker import Maker
from skiff.spec import validate
from skiff.spec.fields import Checker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store
    from skiff.shim.connection import Connection
    from skiff.shim.loop import Loop

STREAMS, TERMINAL = 3, 1  # how many descriptors come with a request


class Executions:
    """Those that run, and those that are being made."""

    def __init__(self, loop: Loop, store: Store, identity: str) -> None:
        self._loop, self._store, self._identity = loop, store, identity
        self._making: dict[int, tuple[Maker, Connection]] = {}
        self._running: dict[int, Connection] = {}
        self._ended: dict[int, int] = {}  # before their makers told of them

    def begin(self, connection: Connection, message: dict[str, Any], passed: list[int]) -> None:
        """Have it made, by a process of its own: what a container's files are made of may keep that one waiting for ever."""
        maker = Maker(lambda _order, _named: self._make(message, passed), product="process")
        maker.order(b"{}")
        fd = maker.fileno()
        self._making[fd] = (maker, connection)
        self._loop.watch(fd, READ, lambda _: self._made(fd))

    def _make(self, message: dict[str, Any], passed: list[int]) -> dict[str, Any]:
        """In the maker."""
        checker = Checker("exec")
        process = checker.table("process", message.get("process"))
        validate.process(checker, process)
        wanted = TERMINAL if process.get("terminal") else STREAMS
        if len(passed) != wanted:
            raise InvalidInput(f"exec: {len(passed)} descriptors came with the request, not {wanted}")
        state = self._store.load(self._identity)
        execution.require_alive(state)
        cgroups = open_manager(state["cgroup"]).entrances()
        spec = self._store.load_spec(self._identity)
        made = Execution(state, spec, process, cgroups, self._store.root)  # type: ignore[arg-type]  # that it is one has been checked
        if wanted == TERMINAL:
            made.console = passed[0]
        else:
            made.stdio = (passed[0], passed[1], passed[2])
        made.sibling = made.dies_with_parent = True
        return {"pid": made.start().pid}

    def _made(self, fd: int) -> None:
        maker, connection = self._making.pop(fd)
        self._loop.forget(fd)
        try:
            pid = maker.result()["pid"]
        except SkiffError as error:
            connection.refuse(error)
        else:
            connection.answer({"ok": True, "pid": pid})
            self._running[pid] = connection
            if pid in self._ended:
                self.reaped(pid, self._ended[pid])
        if not self._making:
            self._ended.clear()

    def reaped(self, pid: int, wait_status: int) -> None:
        """A child has ended that is not the container's first process."""
        connection = self._running.pop(pid, None)
        if connection is not None:
            record = ending.from_status(wait_status, oom=False)
            connection.answer({"ok": True, "exit": {name: record[name] for name in ("code", "signal", "finished")}})
        elif self._making:
            self._ended[pid] = wait_status

    def kill(self, pid: object, signal: int) -> None:
        """One that runs and has not been reaped, so that the number is still its own."""
        if not isinstance(pid, int) or pid not in self._running:
            raise Conflict(f"process {pid!r} is none of exec's, or has ended")
        with suppress(ProcessLookupError):
            os.kill(pid, signal)
