"""Speaks with the shim of one container over its socket: newline-delimited JSON, one request at a time on a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import Any, Mapping, Optional

from skiff.errors import SkiffError

MAX_LINE = 1 << 20


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
