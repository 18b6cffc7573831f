"""Holds the launcher, the warm process that forks containers: starts it, asks it, and replaces it when it has died."""

from __future__ import annotations

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Mapping, Optional, TypeVar

from skiff.engine import shims
from skiff.errors import SkiffError
from skiff.launcher import client

LOG = logging.getLogger("skiff.engine.launching")
T = TypeVar("T")


class LaunchError(SkiffError):
    """The launcher could not create the container; `details` is its error object."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        self.details = details
        super().__init__(str(details.get("message") or "the launcher gave no reason"))


class _Died(SkiffError):
    """The launcher ended in the middle of a request."""


class Launching:
    """One launcher at a time; requests go to it one after the other, since it is single-threaded anyway."""

    def __init__(self, exec_root: str) -> None:
        self._exec_root = exec_root
        self._socket: Optional[socket.socket] = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="launcher")
        self._sequence = 0

    async def open(self) -> None:
        """Start the launcher before the first container wants it; if that fails, the first container tries again."""
        try:
            await self._in_thread(self._spawn)
        except SkiffError as error:
            LOG.error("%s", error)

    def _spawn(self) -> socket.socket:
        try:
            self._socket = client.spawn(self._exec_root)
        except (OSError, EOFError) as error:
            raise SkiffError(f"the launcher did not start: {error}") from error
        return self._socket

    async def create(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have a container created; LaunchError if that fails."""
        message = {"op": "create", "v": 1, **request}
        try:
            reply = await self._in_thread(self._request, message)
        except _Died as error:
            LOG.warning("%s; starting another, containers run on", error)
            # Whether it had made the container before it died is not known: a second try begins from nothing.
            await shims.dismiss(self._exec_root, request["id"])
            reply = await self._in_thread(self._request, message)
        if not reply.get("ok"):
            raise LaunchError(reply.get("error") or {})
        return reply

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _request(self, request: dict[str, Any]) -> Mapping[str, Any]:
        self._sequence += 1
        sock = self._socket or self._spawn()
        try:
            return client.request(sock, {"seq": self._sequence, **request})
        except (OSError, EOFError) as error:
            sock.close()
            self._socket = None
            raise _Died(f"the launcher has died: {error}") from error
        except ValueError as error:
            raise SkiffError(f"the launcher cannot be asked: {error}") from error

    def close(self) -> None:
        """End the launcher, which leaves its shims alone."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._thread.shutdown()
