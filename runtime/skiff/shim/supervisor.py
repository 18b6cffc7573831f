"""The life of one container as its shim sees it: what is asked of it, what it says, and its end."""

from __future__ import annotations

import os

from skiff.cgroup.manager import open_manager
from skiff.errors import Conflict, InvalidInput, SkiffError, suppress
from skiff.linux import signals
from skiff.oci import clock, failure, status
from skiff.oci.create import open_gate
from skiff.shim import PROTOCOL
from skiff.shim import exit as ending
from skiff.shim.connection import Connection
from skiff.shim.executions import Executions
from skiff.shim.stdio import Input, Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any

    from skiff.cgroup.manager import CgroupManager
    from skiff.oci.create import Created
    from skiff.oci.store import Store
    from skiff.shim.jsonfile import JsonFile
    from skiff.shim.loop import Loop
    from skiff.shim.stdio import Stdio

NAMES = {1: "stdout", 2: "stderr"}
# How long to wait for the end of output that a process outside the container holds open.
DRAIN_SECONDS = 2.0


class Container:
    """What the shim was given; its control group is opened when it is wanted, which in an idle container it is not."""

    __slots__ = ("_cgroup", "created", "exec_root", "identity", "log", "place", "program", "stdio", "store")

    def __init__(
        self, identity: str, exec_root: str, program: str, created: Created, place: str, stdio: Stdio,
        log: JsonFile | None, store: Store,
    ) -> None:  # fmt: skip
        self.identity, self.exec_root, self.program = identity, exec_root, program
        self.created, self.place, self.stdio, self.log, self.store = created, place, stdio, log, store
        self._cgroup: CgroupManager | None = None

    @property
    def cgroup(self) -> CgroupManager:
        """Of the container."""
        if self._cgroup is None:
            self._cgroup = open_manager(self.place)
        return self._cgroup


class Supervisor:
    """Answers clients, hands on output, records the exit."""

    def __init__(self, loop: Loop, container: Container) -> None:
        self.loop = loop
        self._container = container
        self._status: str = status.CREATED
        self._started: str | None = None
        self._exit: dict[str, Any] | None = None
        self._reaped: int | None = None
        self._start_failed: int | None = None
        self._connections: list[Connection] = []
        self._waiting: list[Connection] = []
        self._deleting: list[Connection] = []
        self._executions = Executions(loop, container.store, container.identity)
        self._stdin = Input(loop, container.stdio.stdin, self._stdin_relieved)
        stdio = container.stdio
        self._outputs = [
            Output(loop, 1, stdio.stdout, self._said, self._silent),
            Output(loop, 2, stdio.stderr, self._said, self._silent),
        ]

    # Clients.

    def accept(self, sock: _socket.socket) -> None:
        """A new client: it is told how things stand."""
        connection = Connection(sock, self)
        self._connections.append(connection)
        connection.answer({"shim": PROTOCOL, **self._state()})

    def _state(self) -> dict[str, Any]:
        return {
            "id": self._container.identity,
            "pid": self._container.created.pid if self._exit is None else 0,
            "status": self._status,
            "started": self._started,
            "exit": self._exit,
        }

    def handle(self, connection: Connection, message: dict[str, Any], passed: list[int]) -> None:
        """One request; the descriptors that came with it are closed when this returns."""
        op = message.get("op")
        if op == "start":
            self._start()
            connection.answer({"ok": True, "started": self._started})
        elif op == "kill":
            self._kill(message)
            connection.answer({"ok": True})
        elif op == "exec":
            self._executions.begin(connection, message, passed)
        elif op == "state":
            connection.answer({"ok": True, **self._state()})
        elif op == "wait":
            self._wait(connection)
        elif op == "attach":
            connection.attach(message)
            if self._exit is not None:
                connection.end()
        elif op == "delete":
            self._delete(connection, bool(message.get("force")))
        else:
            raise InvalidInput(f"unknown operation {op!r}: this shim speaks protocol {PROTOCOL}")

    def dropped(self, connection: Connection) -> None:
        """A client has gone."""
        for connections in (self._connections, self._waiting, self._deleting):
            if connection in connections:
                connections.remove(connection)
        self.relieved()

    # Operations.

    def _start(self) -> None:
        status.require("start", self._container.identity, self._status)
        # From here on nothing blocked: the gate is a pipe, and exec ends at once.
        self._started = clock.now()
        try:
            open_gate(self._container.created, self._container.program)
        except failure.CreateError as error:
            self._start_failed = 127 if error.errno == 2 else 126
            raise
        self._status = status.RUNNING
        self._save()

    def _save(self) -> None:
        """For others to read; the shim itself goes by what it knows."""
        with suppress(SkiffError, OSError):
            self._container.store.mark(self._container.identity, self._status)

    def _kill(self, message: dict[str, Any]) -> None:
        """The first process; with `all` every one, with `exec` that one."""
        status.require("kill", self._container.identity, self._status)
        signal, process = message.get("signal", signals.SIGTERM), message.get("exec")
        if not isinstance(signal, int) or not 0 <= signal <= signals.LAST:
            raise InvalidInput(f"invalid signal: {signal!r}")
        if process is not None:
            self._executions.kill(process, signal)
        elif message.get("all"):
            self._container.cgroup.kill(signal)
        elif self._reaped is None:
            os.kill(self._container.created.pid, signal)

    def _wait(self, connection: Connection) -> None:
        if self._exit is not None:
            connection.answer({"ok": True, "exit": self._exit})
        else:
            self._waiting.append(connection)

    def _delete(self, connection: Connection, force: bool) -> None:
        if self._exit is None:
            if not force:
                raise Conflict(f"cannot delete container {self._container.identity}: it is {self._status}; kill it first, or force")
            self._container.cgroup.kill(signals.SIGKILL)
            if self._reaped is None:
                os.kill(self._container.created.pid, signals.SIGKILL)
            self._deleting.append(connection)
            return
        self._container.cgroup.kill(signals.SIGKILL)
        self._container.cgroup.delete()
        self._container.store.remove(self._container.identity)
        with suppress(FileNotFoundError):
            os.unlink(f"{self._container.exec_root}/shims/{self._container.identity}.sock")
        self.reap()  # whoever waits for a process of exec is told before the end
        connection.answer({"ok": True})
        for other in list(self._connections):
            other.end()
        self.loop.stop()

    def _delete_or_refuse(self, connection: Connection) -> None:
        try:
            self._delete(connection, force=True)
        except (SkiffError, OSError) as error:
            connection.refuse(error)

    # The container.

    @property
    def stdin_congested(self) -> bool:
        """Whether clients must wait before they send more input."""
        return self._stdin.congested

    def feed_stdin(self, data: bytes) -> None:
        """Input from a client."""
        self._stdin.write(data)

    def end_stdin(self) -> None:
        """No more input will come."""
        self._stdin.end()

    def _stdin_relieved(self) -> None:
        for connection in self._connections:
            connection.resume()

    def _said(self, number: int, data: bytes) -> None:
        if self._container.log is not None:
            self._container.log.write(NAMES[number], data)
        frame = bytes((number, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
        for connection in list(self._connections):
            if number in connection.streams:
                connection.send(frame)
        if any(connection.congested for connection in self._connections):
            for output in self._outputs:
                if output.open:
                    output.pause()

    def relieved(self) -> None:
        """A client has caught up; if all have, read on."""
        if not any(connection.congested for connection in self._connections):
            for output in self._outputs:
                output.resume()

    def _silent(self, number: int) -> None:
        if self._container.log is not None:
            self._container.log.flush(NAMES[number])
        self._ended()

    def reap(self) -> None:
        """Some child has ended: init, one of exec, or an orphan that came to us."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._container.created.pid:
                self._reaped = wait_status
                self._container.cgroup.kill(signals.SIGKILL)
                self._stdin.close()
                self.loop.after(DRAIN_SECONDS, self._drain)
            else:
                self._executions.reaped(pid, wait_status)
        self._ended()

    def _drain(self) -> None:
        for output in self._outputs:
            if output.open:
                output.drain()

    def _ended(self) -> None:
        """Once init is gone and its output all taken: record, and tell."""
        if self._reaped is None or self._exit is not None or any(output.open for output in self._outputs):
            return
        record = ending.from_status(self._reaped, self._container.cgroup.oom_kills() > 0)
        if self._start_failed is not None:
            record = {**record, "code": self._start_failed, "signal": None}
        self._exit = record
        self._status = status.STOPPED
        if self._container.log is not None:
            self._container.log.close()
        with suppress(OSError):  # /run may be full; those who wait are told all the same
            ending.save(self._container.exec_root, self._container.identity, record)
        for connection in list(self._waiting):
            connection.answer({"ok": True, "exit": record})
        self._waiting.clear()
        for connection in list(self._connections):
            if connection.raw:
                connection.end()
        for connection in list(self._deleting):
            self._delete_or_refuse(connection)
