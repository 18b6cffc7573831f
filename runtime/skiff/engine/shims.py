"""Speaks with the shim of one container over its socket: newline-delimited JSON, one request at a time on a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
from typing import Any, Mapping, Optional

from skiff.errors import Conflict, SkiffError
from skiff.shim import remains

LOG = logging.getLogger("skiff.engine.shims")
MAX_LINE = 1 << 20
# A shim that was killed is in the process table until its parent has reaped it.
CLEAR_TRIES, CLEAR_PAUSE = 100, 0.05


class ShimError(SkiffError):
    """The shim refused or could not; `details` is its error object."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        self.details = details
        super().__init__(str(details.get("message") or "the shim gave no reason"))


class ShimGone(SkiffError):
    """Nobody answers at the shim's socket, or it stopped answering."""


def socket_path(exec_root: str, identity: str) -> str:
    """Where a container's shim listens."""
    return os.path.join(exec_root, "shims", f"{identity}.sock")


class Shim:
    """One connection; `hello` is what the shim said when it began."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.hello: Mapping[str, Any] = {}

    @classmethod
    async def connect(cls, path: str) -> Shim:
        """Connect and hear the greeting."""
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE)
        except OSError as error:
            raise ShimGone(f"{path}: {error.strerror}") from error
        shim = cls(reader, writer)
        shim.hello = await shim._receive()
        return shim

    async def _receive(self) -> dict[str, Any]:
        try:
            line = await self.reader.readline()
        except ConnectionError as error:
            raise ShimGone("the shim broke the connection off") from error
        if not line.endswith(b"\n"):
            raise ShimGone("the shim closed the connection")
        message: dict[str, Any] = json.loads(line)
        return message

    async def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request and its answer; ShimError if it says no."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(json.dumps({"op": op, **fields}).encode() + b"\n")
            await self.writer.drain()
        answer = await self._receive()
        if not answer.get("ok"):
            raise ShimError(answer.get("error") or {})
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        self.writer.close()


async def ask(path: str, op: str, **fields: Any) -> dict[str, Any]:
    """One request on a connection of its own."""
    shim = await Shim.connect(path)
    try:
        return await shim.call(op, **fields)
    finally:
        shim.close()


def exit_record(exec_root: str, identity: str) -> Optional[dict[str, Any]]:
    """What the shim wrote when the container ended, for an engine that was not there to hear it."""
    path = os.path.join(exec_root, "containers", identity, "exit.json")
    try:
        with open(path, encoding="utf-8") as file:
            record: dict[str, Any] = json.load(file)
            return record
    except (FileNotFoundError, ValueError):
        return None


async def clear(exec_root: str, identity: str) -> None:
    """Kill and clear away what a dead shim left of its container; nothing to clear is no fault."""
    for _ in range(CLEAR_TRIES):
        if await asyncio.get_running_loop().run_in_executor(None, _cleared, exec_root, identity):
            return
        await asyncio.sleep(CLEAR_PAUSE)
    LOG.error("container %s: its shim lives and does not answer, or cannot be cleared up behind", identity)


def _cleared(exec_root: str, identity: str) -> bool:
    """False while the shim is there, or the launcher that it came from clears up itself."""
    try:
        remains.clear(exec_root, identity)
    except (Conflict, FileNotFoundError):
        return False
    except (SkiffError, OSError) as error:
        LOG.error("container %s: what its shim left could not be cleared away: %s", identity, error)
    return True


async def dismiss(exec_root: str, identity: str) -> None:
    """Have the shim end its container and itself; if it is dead, clear up behind it."""
    try:
        await ask(socket_path(exec_root, identity), "delete", force=True)
    except SkiffError:
        await clear(exec_root, identity)


def identities(exec_root: str) -> list[str]:
    """Of all containers that have runtime files here."""
    names = (name for place in ("containers", "oci", "shims") for name in _listed(os.path.join(exec_root, place)))
    return sorted({name.partition(".")[0] for name in names})


def _listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def forget(exec_root: str, identity: str) -> None:
    """Remove a container's bundle and exit record."""
    shutil.rmtree(os.path.join(exec_root, "containers", identity), ignore_errors=True)
