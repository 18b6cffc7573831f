"""The image store and the root file systems of containers, offered to the event loop: what blocks runs in threads."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any, AsyncIterator, Callable, Mapping, Optional, Sequence, TypeVar, cast

from skiff.image import inspection, load, removal, store

LOG = logging.getLogger("skiff.engine.images")
T = TypeVar("T")
Image = store.Image
Use = removal.Use


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """What a blocking function returns, without blocking the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


class Images:
    """The images of a data root; containers' roots are snapshots under the containers' identities."""

    def __init__(self, data_root: str) -> None:
        self._store = store.ImageStore(data_root)

    def recover(self, containers: Sequence[str]) -> None:
        """Clear up behind a daemon that was killed: its half-made things, and the roots of containers that never were."""
        for key in set(self._store.snapshots.keys()) - set(containers):
            self._store.snapshots.remove(key)
        for words in self._store.recover():
            LOG.warning("%s", words)

    def count(self) -> int:
        """How many images there are."""
        return self._store.count()

    async def list(self) -> Sequence[Image]:
        """Every image, newest first."""
        found = await in_thread(self._store.list)
        return sorted(found, key=lambda image: image.created, reverse=True)

    async def resolve(self, reference: str) -> Image:
        """The image of a name, an identity or the beginning of one."""
        return await in_thread(self._store.resolve, reference)

    async def inspect(self, reference: str) -> dict[str, Any]:
        """All that is known of an image, in Docker's words."""
        image = await self.resolve(reference)
        return inspection.inspect(image, self._store.snapshots.layers.graph(image.chain_ids))

    async def remove(self, reference: str, force: bool, uses: Mapping[str, Use]) -> Sequence[Mapping[str, str]]:
        """Take a name from an image, and the image away with its last one; refused while containers need it."""
        return await in_thread(removal.remove, self._store, reference, force, uses)

    async def load(self, body: AsyncIterator[bytes]) -> AsyncIterator[str]:
        """Load an archive as it comes in; a line for each image."""
        source = io.BufferedReader(_Body(body, asyncio.get_running_loop()))
        lines = load.load(self._store, source)
        while (line := await in_thread(_next, lines)) is not None:
            yield line

    async def prepare_root(self, identity: str, image: Image) -> None:
        """A writable root for a new container."""
        await in_thread(self._store.snapshots.prepare, identity, image.chain_ids)

    async def root_mounts(self, identity: str) -> Sequence[Mapping[str, Any]]:
        """How a container's root is mounted."""
        return cast("Sequence[Mapping[str, Any]]", await in_thread(self._store.snapshots.mounts, identity))

    async def remove_root(self, identity: str) -> None:
        """Remove a container's root and what it wrote."""
        await in_thread(self._store.snapshots.remove, identity)


def _next(lines: Any) -> Optional[str]:
    return cast("Optional[str]", next(lines, None))


class _Body(io.RawIOBase):
    """A request's body as a file, for a thread to read while the event loop receives it."""

    def __init__(self, body: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._body = body
        self._loop = loop
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = asyncio.run_coroutine_threadsafe(self._receive(), self._loop).result()
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    async def _receive(self) -> bytes:
        """The next bytes; none at the end."""
        async for part in self._body:
            if part:
                return part
        return b""
