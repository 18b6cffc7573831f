"""The routes that carry a container's output: logs, and attach over a raw connection."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, Optional

from skiff.api import bodies, messages, router
from skiff.engine import engine, logs
from skiff.engine.container import Streams
from skiff.errors import InvalidInput, Unsupported


class OutputRoutes:
    """Handlers over one engine."""

    def __init__(self, served: engine.Engine) -> None:
        self._engine = served

    def register(self, routes: router.Router) -> None:
        """Add the routes of this module."""
        routes.add("GET", "/containers/{name}/logs", self.logs)
        routes.add("POST", "/containers/{name}/attach", self.attach)

    async def logs(self, request: messages.Request) -> messages.Answer:
        """Its log, as it was or as it grows, in frames of Docker's multiplexed stream."""
        container = self._engine.containers.find(request.parameters["name"])
        query = _query(request)
        if container.record.host_config["LogConfig"]["Type"] != "json-file":
            raise Unsupported("configured logging driver does not support reading")
        follow = request.flag("follow")
        lines = logs.follow(container.log_path, query, lambda: not (follow and container.alive))

        async def frames() -> AsyncIterator[bytes]:
            async for stream, text in lines:
                yield frame(stream, text)

        return messages.Stream(frames(), "", endless=follow)

    async def attach(self, request: messages.Request) -> messages.Answer:
        """The connection itself becomes the container's output and input, from before its start if need be."""
        container = self._engine.containers.find(request.parameters["name"])
        config = container.record.config
        wants_stdin = request.flag("stdin") and bool(config["OpenStdin"])
        streams = Streams(wants_stdin, request.flag("stdout"), request.flag("stderr"), once=bool(config["StdinOnce"]))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes) -> None:
            await self._engine.lifecycle.attach(container, streams, reader, writer, early)

        return messages.Hijack(serve)


def frame(stream: int, text: bytes) -> bytes:
    """One frame: stream, three zeros, length, payload."""
    return bytes((stream, 0, 0, 0)) + len(text).to_bytes(4, "big") + text


def _query(request: messages.Request) -> logs.Query:
    stdout, stderr = request.flag("stdout"), request.flag("stderr")
    if not (stdout or stderr):
        raise InvalidInput("Bad parameters: you must choose at least one stream")
    return logs.Query(
        stdout=stdout,
        stderr=stderr,
        tail=_tail(request.query.get("tail", "")),
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        timestamps=request.flag("timestamps"),
    )


def _tail(text: str) -> Optional[int]:
    """A number of lines; all, or what is no number, is every line, as dockerd has it."""
    return int(text) if bodies.DIGITS.match(text) else None


def _moment(request: messages.Request, name: str) -> float:
    text = request.query.get(name, "")
    if not text:
        return 0.0
    try:
        return float(text)
    except ValueError:
        moment = logs.epoch(text)
        if not moment:
            raise InvalidInput(f'invalid value for "{name}": failed to parse value as time or duration: "{text}"') from None
        return moment
