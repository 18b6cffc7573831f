"""The launcher's process: waits for create requests with everything loaded, and forks a shim for each."""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import gc
import os

from skiff.cgroup.manager import open_manager
from skiff.errors import Conflict, SkiffError, suppress
from skiff.launcher import LAUNCHER_FD
from skiff.linux import prctl
from skiff.oci.store import check_id
from skiff.shim import MAX_MESSAGE, maker, remains
from skiff.shim import main as shim
from skiff.shim.loop import READ, Loop
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # what signal wraps; the wrapper would load enum

VERSION = 1


def main(arguments: list[str]) -> int:
    """`launcher EXEC_ROOT`, with the socket as descriptor 3."""
    if len(arguments) != 1:
        raise SystemExit("usage: launcher EXEC_ROOT (started by skiffd, with a socket as descriptor 3)")
    prctl.set_name(b"skiff-launcher")
    if os.fork():
        # The caller waits for this process, so that the one that stays is nobody's zombie.
        os._exit(0)
    os.setsid()
    os.chdir("/")
    for signal_number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)
    os.makedirs(f"{arguments[0]}/shims", mode=0o711, exist_ok=True)
    with suppress(SkiffError):
        open_manager("/")  # the version of control groups that this machine has is imported before any fork
    # A collection would write to every object, and so give each shim pages of its own.
    gc.collect()
    gc.freeze()
    gc.disable()
    Launcher(_socket.socket(fileno=LAUNCHER_FD), arguments[0]).run()
    return 0


class _Shim:
    """A forked shim: it waits for a request, or has one and has not answered yet."""

    def __init__(self, pid: int, sock: _socket.socket) -> None:
        self.pid, self.sock = pid, sock
        self.sequence: object = None
        self.identity = ""


class Launcher:
    """Until the other end of the socket is closed."""

    def __init__(self, sock: _socket.socket, exec_root: str) -> None:
        self._sock = sock
        self._exec_root = exec_root
        self._loop = Loop()
        self._shims: dict[int, str] = {}
        self._pending: dict[int, _Shim] = {}
        self._waiting: _Shim | None = None

    def run(self) -> None:
        """Serve."""
        self._loop.on_child(self._reap)
        self._loop.watch(self._sock.fileno(), READ, self._asked)
        self._loop.after(0, self._fork_ahead)
        self._loop.run()

    def _asked(self, _: int) -> None:
        try:
            data = self._sock.recv(MAX_MESSAGE)
        except ConnectionError:
            data = b""
        if not data:
            self._loop.stop()
            return
        sequence = None
        try:
            message = jsontext.loads(data)
            sequence = message["seq"]
            if message.get("op") != "create" or message.get("v") != VERSION:
                raise SkiffError(
                    f"unknown request {message.get('op')!r} of version {message.get('v')!r}: this launcher knows create, {VERSION}"
                )
            self._create(sequence, message, data)
        except (SkiffError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._reply(sequence, maker.refusal(error))

    def _create(self, sequence: object, message: dict[str, Any], data: bytes) -> None:
        identity = check_id(str(message.get("id")))
        if any(pending.identity == identity for pending in self._pending.values()):
            # Neither shim could tell the other's half-made container from the remains of a dead one.
            raise Conflict(f"container {identity} is being created already")
        taken = self._handed_over(data)
        taken.sequence, taken.identity = sequence, identity
        fd = taken.sock.fileno()
        self._shims[taken.pid] = identity
        self._pending[fd] = taken
        self._loop.watch(fd, READ, lambda _: self._answered(fd))

    def _handed_over(self, data: bytes) -> _Shim:
        """To the shim that waits; to a new one where there is none, or it has died."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            try:
                waiting.sock.send(data)
            except OSError:
                waiting.sock.close()
            else:
                return waiting
        fresh = self._fork(ahead=False)
        with suppress(OSError):  # it is dead, as its answer will tell
            fresh.sock.send(data)
        return fresh

    def _fork(self, *, ahead: bool) -> _Shim:
        ours, theirs = maker.pair()
        try:
            pid = os.fork()
            if pid == 0:
                shim.run(self._exec_root, theirs, ahead=ahead)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Shim(pid, ours)

    def _fork_ahead(self) -> None:
        """While there is nothing else to do; without one a container waits for the fork."""
        if self._waiting is None:
            with suppress(OSError):
                self._waiting = self._fork(ahead=True)

    def _answered(self, fd: int) -> None:
        pending = self._pending.pop(fd)
        try:
            data = pending.sock.recv(MAX_MESSAGE)
        except ConnectionError:
            data = b""
        self._loop.forget(fd)
        pending.sock.close()
        try:
            reply = jsontext.loads(data)
        except ValueError:
            reply = maker.refusal(SkiffError("the shim died while it created the container"))
        self._reply(pending.sequence, reply)
        self._loop.after(0, self._fork_ahead)

    def _reply(self, sequence: object, message: dict[str, Any]) -> None:
        with suppress(OSError):  # nobody is left to hear; the socket's end of file stops the loop
            self._sock.send(jsontext.dumps({"seq": sequence, **message}).encode())

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._waiting is not None and pid == self._waiting.pid:
                self._waiting.sock.close()
                self._waiting = None
            identity = self._shims.pop(pid, None)
            if identity is not None and status != 0:
                self._bury(identity)

    def _bury(self, identity: str) -> None:
        """A shim was killed: its container goes with it."""
        try:
            remains.clear(self._exec_root, identity)
        except (SkiffError, OSError):
            import traceback

            with open(f"{self._exec_root}/shims/{identity}.crash", "w", encoding="utf-8") as file:
                traceback.print_exc(file=file)
