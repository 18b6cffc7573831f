"""Starting, stopping, killing and removing containers, and noticing when they end; each under the container's lock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import Any, Mapping, Optional

from skiff.engine import attaching, bundle, logoptions, shims, signals, status
from skiff.engine.container import Container, State, Streams, now
from skiff.engine.containers import Containers
from skiff.engine.images import Images
from skiff.engine.launching import LaunchError, Launching
from skiff.errors import Conflict, InvalidInput, NotFound, SkiffError

LOG = logging.getLogger("skiff.engine.lifecycle")
STOP_SECONDS = 10
KILL_SECONDS = 10.0
LOST = {"code": 137, "signal": int(signal.SIGKILL), "oom": False}


class CannotStart(InvalidInput):
    """The command in the image cannot be executed: the request's fault, in dockerd's wording; 126 or 127 is its status."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class Lifecycle:
    """What can be done to a container once it exists."""

    def __init__(self, containers: Containers, images: Images, launching: Launching, exec_root: str) -> None:
        self._containers = containers
        self._images = images
        self._launching = launching
        self._exec_root = exec_root
        self._watchers: set[asyncio.Task[None]] = set()

    def _socket(self, container: Container) -> str:
        return shims.socket_path(self._exec_root, container.record.id)

    async def start(self, container: Container) -> bool:
        """Start it; false if it runs already."""
        async with container.lock:
            if container.alive:
                return False
            if container.state.status == status.REMOVING:
                raise Conflict(f"Container {container.record.id} is marked for removal and cannot be started.")
            try:
                await self._launch(container)
            except (SkiffError, OSError) as error:
                await self._start_failed(container, error)
                raise
        return True

    async def _launch(self, container: Container) -> None:
        loop = asyncio.get_running_loop()
        mounts = await self._images.root_mounts(container.record.id)
        path = await loop.run_in_executor(None, bundle.write, container, self._exec_root)
        try:
            reply = await self._launching.create(self._create_request(container, path, mounts))
        except LaunchError as error:
            raise _told(error.details) from error
        shim = await shims.Shim.connect(self._socket(container))
        try:
            await attaching.join_waiting(container, self._socket(container))
            started = await shim.call("start")
        except shims.ShimError as error:
            raise _told(error.details) from error
        finally:
            shim.close()
        container.state = State(
            status=status.RUNNING,
            pid=int(reply["pid"]),
            started_at=started.get("started") or now(),
            finished_at=container.state.finished_at,
        )
        self._save(container)
        self._watch(container)

    def _create_request(self, container: Container, path: str, mounts: Any) -> dict[str, Any]:
        record = container.record
        log = record.host_config["LogConfig"]
        return {
            "id": record.id,
            "bundle": path,
            "exec_root": self._exec_root,
            "mounts": mounts,
            "log": logoptions.for_shim(log, container.log_path),
            "stdin": bool(record.config["OpenStdin"]),
            "cgroup": {"driver": "cgroupfs", "path": f"/skiff.slice/{record.id}"},
        }

    async def _start_failed(self, container: Container, error: Exception) -> None:
        """Docker leaves such a container as created, with the reason and 126, 127 or 128 in its state."""
        await shims.dismiss(self._exec_root, container.record.id)
        state = container.state
        state.error = str(error)
        state.exit_code = error.exit_code if isinstance(error, CannotStart) else 128
        self._save(container)
        attaching.drop_waiting(container)
        container.settle(container.exits)
        if container.record.host_config["AutoRemove"]:
            await self._remove_stopped(container)

    def _watch(self, container: Container) -> None:
        task = asyncio.ensure_future(self._until_exit(container))
        self._watchers.add(task)
        task.add_done_callback(self._watched)

    def _watched(self, task: asyncio.Task[None]) -> None:
        self._watchers.discard(task)
        if not task.cancelled() and task.exception() is not None:
            LOG.error("after the end of a container: %s", task.exception())

    async def _until_exit(self, container: Container) -> None:
        """Wait for the end, record it, and let the shim go."""
        try:
            ended = (await shims.ask(self._socket(container), "wait"))["exit"]
        except SkiffError as error:
            LOG.warning("container %s: its shim is gone: %s", container.record.short_id, error)
            await shims.clear(self._exec_root, container.record.id)
            ended = shims.exit_record(self._exec_root, container.record.id) or LOST
        async with container.lock:
            await self._exited(container, ended)

    async def _exited(self, container: Container, ended: Mapping[str, Any]) -> None:
        state = container.state
        state.become(status.EXITED)
        state.pid = 0
        state.exit_code = int(ended["code"])
        state.oom_killed = bool(ended.get("oom"))
        state.finished_at = ended.get("finished") or now()
        self._save(container)
        LOG.info("container %s exited with %d", container.record.short_id, state.exit_code)
        container.settle(container.exits)
        await shims.dismiss(self._exec_root, container.record.id)
        if container.record.host_config["AutoRemove"]:
            await self._remove_stopped(container)

    def _save(self, container: Container) -> None:
        """A state that cannot be written, on a full disk, stops nothing: the shim knows it, and its exit record."""
        try:
            self._containers.stored.save(container)
        except OSError as error:
            LOG.error("container %s: its state cannot be written: %s", container.record.short_id, error)

    async def kill(self, container: Container, number: int, called: str = "") -> None:
        """Send a signal to its first process; `called` is what the client called it."""
        if container.alive and await self._signal(container, number):
            return
        raise Conflict(f"Cannot kill container: {called or container.record.name}: Container {container.record.id} is not running")

    async def _signal(self, container: Container, number: int) -> bool:
        """Whether the signal was taken; if not, the process has ended, and the engine is about to hear of it."""
        try:
            await shims.ask(self._socket(container), "kill", signal=number, all=False)
        except (shims.ShimError, shims.ShimGone) as error:
            LOG.info("container %s took no signal %d: %s", container.record.short_id, number, error)
            return False
        return True

    async def stop(self, container: Container, seconds: Optional[int]) -> bool:
        """The stop signal, then SIGKILL after the time that it has; false if it does not run."""
        if not container.alive:
            return False
        config = container.record.config
        if seconds is None:
            seconds = STOP_SECONDS if config["StopTimeout"] is None else config["StopTimeout"]
        exited = self.next_exit(container)
        await self._signal(container, signals.stop(config["StopSignal"]))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(exited), None if seconds < 0 else seconds)
        if not exited.done():
            await self._kill_and_wait(container, exited)
        return True

    async def _kill_and_wait(self, container: Container, exited: asyncio.Future[State]) -> None:
        await self._signal(container, signal.SIGKILL)
        try:
            await asyncio.wait_for(asyncio.shield(exited), KILL_SECONDS)
        except asyncio.TimeoutError:
            raise SkiffError(f"container {container.record.id} did not end {KILL_SECONDS:.0f} s after SIGKILL") from None

    async def attach(
        self, container: Container, streams: Streams, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes
    ) -> None:
        """Serve a client that attaches, until its container's output ends or the client leaves."""
        joining = asyncio.ensure_future(attaching.connect(container, self._socket(container), streams))
        await attaching.serve(joining, streams, reader, writer, early)

    def next_exit(self, container: Container) -> asyncio.Future[State]:
        """Resolves with the state when its process ends, or could not be started."""
        return _joined(container.exits)

    def removal(self, container: Container) -> asyncio.Future[State]:
        """Resolves with the last state when it has been removed."""
        return _joined(container.removals)

    async def remove(self, container: Container, force: bool) -> None:
        """Remove it; one that runs only by force."""
        if container.alive:
            if not force:
                raise Conflict(
                    f"You cannot remove a running container {container.record.id}. "
                    "Stop the container before attempting removal or force remove"
                )
            await self._kill_and_wait(container, self.next_exit(container))
        async with container.lock:
            if container.state.status == status.REMOVING:
                if container.record.host_config["AutoRemove"] and force:
                    return
                raise NotFound(f"No such container: {container.record.id}")
            await self._remove_stopped(container)

    async def _remove_stopped(self, container: Container) -> None:
        container.state.become(status.REMOVING)
        try:
            await shims.dismiss(self._exec_root, container.record.id)
            await self._containers.forget(container)
        except BaseException:
            container.state.become(status.DEAD)
            raise
        await asyncio.get_running_loop().run_in_executor(None, shims.forget, self._exec_root, container.record.id)
        # Nobody hears of a next start or end any more.
        attaching.drop_waiting(container)
        container.settle(container.exits)
        container.settle(container.removals)
        LOG.info("container %s removed", container.record.short_id)

    async def recover(self) -> None:
        """After a start of the daemon: meet the shims that live on, record the ends of those that do not."""
        for container in self._containers:
            async with container.lock:
                await self._recover_one(container)
        known = {container.record.id for container in self._containers}
        for identity in await asyncio.get_running_loop().run_in_executor(None, shims.identities, self._exec_root):
            if identity not in known:
                # Of a removal that was cut: its record is gone.
                await shims.dismiss(self._exec_root, identity)
                await asyncio.get_running_loop().run_in_executor(None, shims.forget, self._exec_root, identity)

    async def _recover_one(self, container: Container) -> None:
        hello = await self._greeting(container)
        if hello is not None and hello["status"] in ("created", "creating"):
            # The daemon died between create and start: nobody was told of it, so it never was.
            await shims.dismiss(self._exec_root, container.record.id)
            return
        if hello is not None:
            if not container.alive:
                # It was started, and the daemon died before it wrote that down.
                container.state = State(status.RUNNING, started_at=hello.get("started") or now())
            container.state.pid = int(hello["pid"])
            LOG.info("container %s runs on, process %d", container.record.short_id, container.state.pid)
            self._watch(container)
            return
        await shims.clear(self._exec_root, container.record.id)
        if container.alive:
            ended = shims.exit_record(self._exec_root, container.record.id) or LOST
            LOG.warning("container %s ended while the daemon was away: %s", container.record.short_id, ended["code"])
            await self._exited(container, ended)
        elif container.state.status == status.EXITED and container.record.host_config["AutoRemove"]:
            await self._remove_stopped(container)

    async def _greeting(self, container: Container) -> Optional[Mapping[str, Any]]:
        try:
            shim = await shims.Shim.connect(self._socket(container))
        except SkiffError:
            return None
        shim.close()
        return shim.hello

    async def close(self) -> None:
        """Stop watching; the shims and their containers go on."""
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)


def _joined(waiting: set[asyncio.Future[State]]) -> asyncio.Future[State]:
    """A place among those who wait, given up when the waiter is."""
    future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
    waiting.add(future)
    future.add_done_callback(waiting.discard)
    return future


def _told(details: Mapping[str, Any]) -> SkiffError:
    """The error of a failed start, its kind and exit code by what dockerd makes of the same one."""
    reason = str(details.get("message") or "no reason given")
    text = f"failed to create task for container: OCI runtime create failed: skiff-oci: {reason}: unknown"
    for words, code in ((_NOT_FOUND, 127), (_NOT_EXECUTABLE, 126)):
        if any(word in reason for word in words):
            return CannotStart(text, code)
    return SkiffError(text)


_NOT_FOUND = ("executable file not found", "no such file or directory", "not a directory")
_NOT_EXECUTABLE = ("permission denied", "exec format error", "is a directory")
