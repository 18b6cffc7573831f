"""The API of one engine: all routes together, and connections served on listening sockets."""

from __future__ import annotations

import asyncio
import socket

from skiff.api import connection, containers, images, output, router, system
from skiff.engine import engine


class Server:
    """Serves an engine's API until closed."""

    def __init__(self, served: engine.Engine) -> None:
        self._router = router.Router()
        system.register(self._router, served)
        for part in (containers.ContainerRoutes(served), output.OutputRoutes(served), images.ImageRoutes(served)):
            part.register(self._router)
        self._servers: list[asyncio.AbstractServer] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, sock: socket.socket) -> None:
        """Serve on a socket that listens already."""
        self._servers.append(await asyncio.start_unix_server(self._connected, sock=sock))

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = connection.Connection(reader, writer, self._router.handle, system.COMMON_HEADERS)
        task = asyncio.ensure_future(served.serve())
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Take no more connections and end those that are open."""
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
