"""The engine as a whole: it owns the data root, holds the parts together, and opens and closes them in order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import uuid

from skiff.engine import filesystem
from skiff.engine.settings import Settings
from skiff.errors import SkiffError

FORMAT = "1"


class Engine:
    """An engine on one data root.

    On disk, below the data root:
        format       number of this layout; a root of another number is refused
        engine-id    this engine's identity, made once
        lock         flock held by the one daemon that uses the root
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.identity = ""
        self.backing_filesystem = ""
        self.supports_d_type = False
        self._lock = -1

    async def open(self) -> None:
        """Take the data root, alone."""
        await asyncio.get_running_loop().run_in_executor(None, self._take_root)

    def _take_root(self) -> None:
        root = self.settings.data_root
        os.makedirs(root, mode=0o711, exist_ok=True)
        os.makedirs(self.settings.exec_root, mode=0o711, exist_ok=True)
        self._lock = _take_lock(os.path.join(root, "lock"), root)
        found = _read_or_make(os.path.join(root, "format"), FORMAT)
        if found != FORMAT:
            raise SkiffError(f"{root}: its format is {found}, this version reads {FORMAT}; deploy the version that made it")
        self.identity = _read_or_make(os.path.join(root, "engine-id"), str(uuid.uuid4()))
        self.backing_filesystem = filesystem.name(root)
        self.supports_d_type = filesystem.supports_d_type(root)

    async def close(self) -> None:
        """Let go of the data root; containers run on."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def counts(self) -> tuple[int, int, int]:
        """Containers that run, are paused, are stopped."""
        return 0, 0, 0

    def image_count(self) -> int:
        """Images that are stored."""
        return 0


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
