"""The engine as a whole: it owns the data root, holds the parts together, and opens and closes them in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import uuid
from typing import Mapping, Sequence

from skiff.engine import containers, filesystem, images, launching, lifecycle, records
from skiff.engine.settings import Settings
from skiff.errors import SkiffError

FORMAT = "1"
LOG = logging.getLogger("skiff.engine")


class Engine:
    """An engine on one data root.

    On disk, below the data root, beside what the parts draw for themselves:
        format       number of this layout; a root of another number is refused
        engine-id    this engine's identity, made once
        lock         flock held by the one daemon that uses the root
    """

    containers: containers.Containers
    images: images.Images
    lifecycle: lifecycle.Lifecycle

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.identity = ""
        self.backing_filesystem = ""
        self.supports_d_type = False
        self._lock = -1
        self._launching = launching.Launching(settings.exec_root)

    async def open(self) -> None:
        """Take the data root, alone; meet the containers that run on from before."""
        # In the loop's own thread: before Python 3.10 a container's lock belongs to the loop of the thread that made it.
        self._open_root()
        self.lifecycle = lifecycle.Lifecycle(self.containers, self.images, self._launching, self.settings.exec_root)
        await self._launching.open()
        await self.lifecycle.recover()

    def _open_root(self) -> None:
        root, exec_root = self.settings.data_root, self.settings.exec_root
        for directory in (root, exec_root, os.path.join(exec_root, "shims"), os.path.join(exec_root, "containers")):
            os.makedirs(directory, mode=0o711, exist_ok=True)
        self._lock = _take_lock(os.path.join(root, "lock"), root)
        found = _read_or_make(os.path.join(root, "format"), FORMAT)
        if found != FORMAT:
            raise SkiffError(f"{root}: its format is {found}, this version reads {FORMAT}; deploy the version that made it")
        self.identity = _read_or_make(os.path.join(root, "engine-id"), str(uuid.uuid4()))
        self.backing_filesystem = filesystem.name(root)
        self.supports_d_type = filesystem.supports_d_type(root)
        self.images = images.Images(root)
        self.containers = containers.Containers(records.Records(root), self.images)
        self.containers.load()
        self.images.recover(self.containers.stored.identities())

    async def close(self) -> None:
        """Let go of the data root; containers run on, unless live-restore was turned off."""
        if self._lock < 0:
            return
        if not self.settings.live_restore:
            await self._stop_all()
        await self.lifecycle.close()
        await asyncio.get_running_loop().run_in_executor(None, self._launching.close)
        os.close(self._lock)
        self._lock = -1

    async def _stop_all(self) -> None:
        seconds = self.settings.shutdown_timeout
        alive = [container for container in self.containers if container.alive]
        results = await asyncio.gather(*(self.lifecycle.stop(one, seconds) for one in alive), return_exceptions=True)
        for container, result in zip(alive, results):
            if isinstance(result, BaseException):
                LOG.error("container %s could not be stopped: %s", container.record.short_id, result)

    async def remove_image(self, reference: str, force: bool) -> Sequence[Mapping[str, str]]:
        """Take a name from an image, or remove it; refused while a container needs it."""
        return await self.images.remove(reference, force, self.containers.uses_of_images())


def _take_lock(path: str, root: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SkiffError(f"{root}: another skiffd uses this data root; stop it or choose another --data-root") from None
    return descriptor


def _read_or_make(path: str, value: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
        return file.read().strip()
    aside = f"{path}.new"
    with open(aside, "w", encoding="ascii") as file:
        file.write(f"{value}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    return value
