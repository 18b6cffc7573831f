"""The shim's process, forked by the launcher: has the container made, says how that went, then keeps it until deleted.

A further process, the maker, makes it and ends: what it writes to of the memory that all share with the launcher is not the shim's
for as long as the container lives.
"""

from __future__ import annotations

import _socket  # what socket wraps; the wrapper would load enum and selectors
import gc
import os

from skiff.cgroup.manager import open_manager
from skiff.errors import InvalidInput, SkiffError, Unsupported, suppress
from skiff.linux import prctl, processes, signals
from skiff.oci import bundle
from skiff.oci.attendance import Channels
from skiff.oci.create import Created, Surroundings, create
from skiff.oci.store import Store, check_id, record
from skiff.shim import exit as ending
from skiff.shim import jsonfile, maker, remains
from skiff.shim.loop import READ, Loop
from skiff.shim.stdio import Stdio
from skiff.shim.supervisor import Container, Supervisor
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    from skiff.cgroup.manager import CgroupManager
else:
    import _signal as signal  # what signal wraps; the wrapper would load enum

BACKLOG = 64


def run(request: dict[str, Any], exec_root: str, reply: int) -> NoReturn:
    """Never returns; `reply` is a pipe to the launcher for one answer."""
    code = 1
    try:
        _detach(reply)
        try:
            shim = _Shim(request, exec_root)
            container = shim.create()
        except (SkiffError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _answer(reply, maker.refusal(error))
        else:
            try:
                _answer(reply, {"ok": True, "pid": container.created.pid, "shim": os.getpid()})
            except OSError:
                # Nobody knows of the container, so nobody would ever delete it.
                remains.clear(exec_root, shim.identity)
            else:
                shim.serve(container)
        code = 0
    except BaseException:  # a fork must not return into the launcher's loop; the reason goes to a file
        import traceback

        with open(f"{exec_root}/shims/{request.get('id')}.crash", "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(code)


def _detach(reply: int) -> None:
    """From the launcher: its session, its descriptors, its children."""
    os.setsid()
    prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)
    prctl.set_name(b"skiff-shim")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.set_wakeup_fd(-1)
    processes.close_all_but((reply,))
    os.chdir("/")
    os.umask(0o022)


def _answer(reply: int, message: dict[str, Any]) -> None:
    os.write(reply, jsontext.dumps(message).encode())
    os.close(reply)


class _Shim:
    """The parts that a create request makes."""

    def __init__(self, request: dict[str, Any], exec_root: str) -> None:
        self._request = request
        self._exec_root = exec_root
        self.identity = check_id(str(request.get("id")))
        self._store = Store(f"{exec_root}/oci")

    def create(self) -> Container:
        """All of it, or an error and nothing."""
        wanted = self._request.get("cgroup") or {}
        if wanted.get("driver", "cgroupfs") != "cgroupfs":
            raise InvalidInput(f"cgroup driver {wanted['driver']!r}: only cgroupfs is supported by this version")
        path = wanted.get("path") or f"/skiff.slice/{self.identity}"
        remains.clear(self._exec_root, self.identity)
        ending.forget(self._exec_root, self.identity)
        self._store.add(self.identity)
        try:
            return self._prepare(path)
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._exec_root}/shims/{self.identity}.sock")
        self._store.remove(self.identity)

    def _prepare(self, path: str) -> Container:
        log = jsonfile.from_request(self._request.get("log") or {})
        stdio = Stdio(bool(self._request.get("stdin")))
        self._listener = self._listen()
        channels = Channels.pipes()
        cgroup = open_manager(path)
        try:
            made = maker.run(lambda: self._make(cgroup, path, stdio, channels))
        except maker.Died:
            cgroup.kill(signals.SIGKILL)
            cgroup.delete()
            raise
        stdio.close_theirs()
        os.close(channels.inner)
        os.close(channels.write)
        created = Created(made["pid"], channels.read, channels.outer)
        return Container(self.identity, self._exec_root, made["args"], created, cgroup, stdio, log, self._store)

    def _make(self, cgroup: CgroupManager, path: str, stdio: Stdio, channels: Channels) -> dict[str, Any]:
        directory = os.path.abspath(str(self._request["bundle"]))
        spec = bundle.load(directory)
        for stage in ("poststart", "poststop"):
            if (spec.get("hooks") or {}).get(stage):
                raise Unsupported(f"hooks.{stage}: skiffd runs none: take it out of {directory}/config.json")
        around = Surroundings(self.identity, self._store.root, cgroup)
        around.mounts, around.stdio = self._request.get("mounts") or [], stdio.theirs
        around.dies_with_parent = around.sibling = True
        made = create(spec, directory, around, channels)
        state = record(self.identity, made.pid, directory, path, spec)
        shim = os.getppid()
        self._store.save(self.identity, {**state, "shim": shim, "shim_started": processes.start_time(shim)})
        return {"pid": made.pid, "args": spec["process"]["args"]}

    def _listen(self) -> _socket.socket:
        directory = f"{self._exec_root}/shims"
        os.makedirs(directory, mode=0o711, exist_ok=True)
        listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        before = os.umask(0o177)
        listener.bind(f"{directory}/{self.identity}.sock")
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
