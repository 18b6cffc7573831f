"""What handlers are given and what they answer: a request, and a whole, a streamed or a raw response. No I/O."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Awaitable, Callable, Mapping, Union
from urllib.parse import parse_qsl, unquote

from skiff.errors import InvalidInput

JSON = "application/json"


class ClientGone(Exception):
    """The client closed its end before its request was whole; there is nobody to answer."""


@dataclass
class Request:
    """One request. `body` yields what the client sends; `parameters` are the route's named path parts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        """A boolean of the query, as dockerd reads one: anything but empty, no, false, 0 and none is true."""
        return self.query.get(name, "").strip().lower() not in ("", "0", "no", "false", "none")

    async def content(self, limit: int) -> bytes:
        """The whole body; refused past the limit."""
        parts, size = [], 0
        async for part in self.body:
            size += len(part)
            if size > limit:
                raise InvalidInput(f"request body is larger than {limit} bytes")
            parts.append(part)
        return b"".join(parts)


@dataclass
class Response:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stream:
    """An answer sent in chunks as they come; one that waits for events is `endless`: it ends when the client leaves."""

    chunks: AsyncIterator[bytes]
    content_type: str = ""
    endless: bool = False


@dataclass
class Hijack:
    """The connection turns raw after 101 UPGRADED (or 200, for a client that did not ask to upgrade).

    `serve` is given the two streams and the bytes that the client had sent right behind its request.
    """

    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]
    content_type: str = "application/vnd.docker.raw-stream"


Answer = Union[Response, Stream, Hijack]
Handler = Callable[[Request], Awaitable[Answer]]


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON document as dockerd writes it: compact, one line, its line feed at the end."""
    return Response(status, encode(value), JSON)


def encode(value: Any) -> bytes:
    """Compact JSON and a line feed."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request target, both decoded; the first of repeated names wins, as in Go's Form.Get."""
    path, _, query = target.partition("?")
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, value)
    return unquote(path), values
