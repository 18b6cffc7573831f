"""Connects clients to a container's output and input, also those that ask before it is started, as `docker run` does."""

from __future__ import annotations

import asyncio
import select
from typing import Optional

from skiff.engine import shims
from skiff.engine.container import Container, Streams, Waiting
from skiff.errors import SkiffError

BLOCK = 65536
LEAVE_SECONDS = 1.0


async def connect(container: Container, path: str, streams: Streams) -> Optional[shims.Shim]:
    """A raw connection to the shim: at once if the container runs, else when it is started."""
    if container.alive:
        return await _attach(path, streams)
    future: asyncio.Future[Optional[shims.Shim]] = asyncio.get_running_loop().create_future()
    waiting = Waiting(streams, future)
    container.attachers.append(waiting)
    try:
        return await future
    finally:
        if waiting in container.attachers:
            container.attachers.remove(waiting)


async def _attach(path: str, streams: Streams) -> shims.Shim:
    shim = await shims.Shim.connect(path)
    await shim.call("attach", stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr, once=streams.once)
    return shim


async def join_waiting(container: Container, path: str) -> None:
    """Connect all that wait, before the container's first output."""
    while container.attachers:
        waiting = container.attachers.pop(0)
        try:
            shim: Optional[shims.Shim] = await _attach(path, waiting.streams)
        except SkiffError:
            shim = None
        if not waiting.joined.done():
            waiting.joined.set_result(shim)
        elif shim is not None:
            shim.close()


def drop_waiting(container: Container) -> None:
    """Tell all that wait that there will be nothing."""
    while container.attachers:
        waiting = container.attachers.pop(0)
        if not waiting.joined.done():
            waiting.joined.set_result(None)


async def serve(
    joining: asyncio.Future[Optional[shims.Shim]],
    streams: Streams,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    early: bytes,
) -> None:
    """Copy both ways until the container's output ends, or cannot be delivered any more.

    The end of a client's input alone says nothing: the docker CLI closes that half at once where it attaches no input.
    """
    given = asyncio.ensure_future(_copy_input(joining, streams, reader, early))
    output = asyncio.ensure_future(_copy_output(joining, writer))
    leaving = asyncio.ensure_future(_client_leaves(reader, writer))
    try:
        await asyncio.wait({output, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            output.result()
    finally:
        for task in (given, output, leaving, joining):
            task.cancel()
        await asyncio.gather(given, output, leaving, joining, return_exceptions=True)
        shim = joining.result() if not joining.cancelled() and joining.exception() is None else None
        if shim is not None:
            shim.close()


async def _client_leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Returns when both halves are closed, which only poll tells from one: else clients of a silent container pile up."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)
    # A transport that saw a reset is closed already, and its reader never at an end.
    while not (writer.is_closing() or (reader.at_eof() and poll.poll(0))):
        await asyncio.sleep(LEAVE_SECONDS)


async def _copy_output(joining: asyncio.Future[Optional[shims.Shim]], writer: asyncio.StreamWriter) -> None:
    shim = await asyncio.shield(joining)
    while shim is not None and (data := await shim.reader.read(BLOCK)):
        writer.write(data)
        await writer.drain()


async def _copy_input(
    joining: asyncio.Future[Optional[shims.Shim]], streams: Streams, reader: asyncio.StreamReader, early: bytes
) -> None:
    """To the container's input if it has one; what a client sends without is thrown away, its end is noticed."""
    shim = await asyncio.shield(joining) if streams.stdin else None
    data = early or await reader.read(BLOCK)
    while data:
        if shim is not None:
            shim.writer.write(data)
            await shim.writer.drain()
        data = await reader.read(BLOCK)
    if shim is not None:
        shim.writer.write_eof()
