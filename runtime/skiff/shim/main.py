"""The shim's process, forked by the launcher: has the container made, says how that went, then keeps it until deleted.

A further process, the maker, makes it and ends: what it writes to of the memory that all share with the launcher is not the shim's
for as long as the container lives.
"""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import gc
import os

from skiff.cgroup.manager import open_manager
from skiff.errors import InvalidInput, Unsupported, suppress
from skiff.linux import prctl, processes, signals
from skiff.oci import bundle
from skiff.oci.attendance import Channels
from skiff.oci.create import Created, Surroundings, create
from skiff.oci.store import Store, check_id, record
from skiff.shim import MAX_MESSAGE, jsonfile, maker, rehearsal, remains
from skiff.shim import exit as ending
from skiff.shim.loop import READ, Loop
from skiff.shim.maker import Maker
from skiff.shim.stdio import Stdio
from skiff.shim.supervisor import Container, Supervisor
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn

else:
    import _signal as signal  # what signal wraps; the wrapper would load enum

BACKLOG = 64
NAME = b"skiff-shim"


def run(exec_root: str, sock: _socket.socket, *, ahead: bool) -> NoReturn:
    """Never returns. The launcher's request comes through `sock` and our one answer goes back; `ahead` if it may take a while."""
    code, name = 1, f"@{os.getpid()}"
    try:
        _detach(sock.fileno())
        shim = _Shim(exec_root, ahead=ahead)
        data = sock.recv(MAX_MESSAGE)
        if data:
            prctl.set_name(NAME)
            request = jsontext.loads(data)
            name = check_id(str(request.get("id")))
            _keep(shim, name, request, data, sock)
        code = 0
    except BaseException:  # a fork must not return into the launcher's loop; the reason goes to a file
        import traceback

        with open(f"{exec_root}/shims/{name}.crash", "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(code)


def _keep(shim: _Shim, identity: str, request: dict[str, Any], data: bytes, sock: _socket.socket) -> None:
    """From the request to the end of the container."""
    try:
        container = shim.create(identity, request, data)
    except maker.FORESEEN as error:
        _answer(sock, maker.refusal(error))
        return
    try:
        _answer(sock, {"ok": True, "pid": container.created.pid, "shim": os.getpid()})
    except OSError:
        # Nobody knows of the container, so nobody would ever delete it.
        remains.clear(shim.exec_root, identity)
    else:
        shim.serve(container)


def _detach(kept: int) -> None:
    """From the launcher: its session, its descriptors, its children."""
    os.setsid()
    prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)
    prctl.set_name(b"skiff-waiting")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.set_wakeup_fd(-1)
    processes.close_all_but((kept,))
    os.chdir("/")
    os.umask(0o022)


def _answer(sock: _socket.socket, message: dict[str, Any]) -> None:
    sock.send(jsontext.dumps(message).encode())
    sock.close()


class _Shim:
    """What does not depend on the request is made before it comes: the container's streams, and the process that will make it."""

    def __init__(self, exec_root: str, *, ahead: bool) -> None:
        self.exec_root = exec_root
        self._store = Store(f"{exec_root}/oci")
        self._stdio = Stdio()
        self._channels = Channels.pipes()
        self._maker = Maker(self._make, rehearsal.go_through if ahead else None)

    def create(self, identity: str, request: dict[str, Any], data: bytes) -> Container:
        """All of it, or an error and nothing."""
        wanted = request.get("cgroup") or {}
        if wanted.get("driver", "cgroupfs") != "cgroupfs":
            raise InvalidInput(f"cgroup driver {wanted['driver']!r}: only cgroupfs is supported by this version")
        if not self._maker.lives():
            self._maker = Maker(self._make)
        self._maker.order(data)
        self._maker.named()
        try:
            return self._prepare(identity, request)
        except BaseException:
            self._undo(identity)
            raise

    def _undo(self, identity: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self.exec_root}/shims/{identity}.sock")
        self._store.remove(identity)

    def _prepare(self, identity: str, request: dict[str, Any]) -> Container:
        """Log and socket while the maker makes the rest, which is undone if they cannot be."""
        stdio, channels = self._stdio, self._channels
        try:
            log = jsonfile.from_request(request.get("log") or {})
            self._listener = self._listen(identity)
        except BaseException:
            with suppress(maker.Refusal):  # then the group may be another's
                self._made(request)
                _clear(request)
            raise
        made = self._made(request)
        if not request.get("stdin"):
            stdio.without_stdin()
        stdio.close_theirs()
        os.close(channels.inner)
        os.close(channels.write)
        created = Created(made["pid"], channels.read, channels.outer)
        return Container(identity, self.exec_root, made["program"], created, _place(request), stdio, log, self._store)

    def _made(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._maker.result()
        except maker.Died:
            _clear(request)
            raise

    def _make(self, request: dict[str, Any], named: Callable[[], object]) -> dict[str, Any]:
        """In the maker. The shim undoes what this leaves behind."""
        prctl.set_name(NAME)
        identity = str(request["id"])
        remains.clear(self.exec_root, identity)
        ending.forget(self.exec_root, identity)
        self._store.add(identity)
        named()
        directory = os.path.abspath(str(request["bundle"]))
        spec = bundle.load(directory)
        for stage in ("poststart", "poststop"):
            if (spec.get("hooks") or {}).get(stage):
                raise Unsupported(f"hooks.{stage}: skiffd runs none: take it out of {directory}/config.json")
        if not request.get("stdin"):
            self._stdio.without_stdin()
        around = Surroundings(identity, self._store.root, open_manager(_place(request)))
        around.mounts, around.stdio = request.get("mounts") or [], self._stdio.theirs
        around.dies_with_parent = around.sibling = True
        made = create(spec, directory, around, self._channels)
        state = record(identity, made.pid, directory, _place(request), spec)
        shim = os.getppid()
        self._store.save_spec(identity, spec)
        self._store.save(identity, {**state, "shim": shim, "shim_started": processes.start_time(shim)})
        return {"pid": made.pid, "program": spec["process"]["args"][0][: maker.MAX_WORDS]}

    def _listen(self, identity: str) -> _socket.socket:
        directory = f"{self.exec_root}/shims"
        os.makedirs(directory, mode=0o711, exist_ok=True)
        listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        before = os.umask(0o177)
        listener.bind(f"{directory}/{identity}.sock")
        os.umask(before)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        return listener

    def serve(self, container: Container) -> None:
        """Until the container is deleted."""
        gc.enable()
        loop = Loop()
        supervisor = Supervisor(loop, container)

        def client_came(_: int) -> None:
            try:
                fd, _ = self._listener._accept()  # type: ignore[attr-defined]  # what socket.accept calls; typeshed has it not
            except OSError:
                return
            supervisor.accept(_socket.socket(fileno=fd))

        loop.on_child(supervisor.reap)
        loop.watch(self._listener.fileno(), READ, client_came)
        supervisor.reap()
        loop.run()


def _clear(request: dict[str, Any]) -> None:
    cgroup = open_manager(_place(request))
    cgroup.kill(signals.SIGKILL)
    cgroup.delete()


def _place(request: dict[str, Any]) -> str:
    return (request.get("cgroup") or {}).get("path") or f"/skiff.slice/{request['id']}"
