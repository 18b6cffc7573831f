"""HTTP as clients really speak it: keep-alive, pipelining, chunks, HEAD, garbage, hijacking."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import AsyncIterator, Awaitable, Callable

import pytest

from skiff.api import connection, messages, router

HEADERS = {"Api-Version": "1.41"}


async def fault(_request: messages.Request) -> messages.Answer:
    raise RuntimeError("boom")


async def full(_request: messages.Request) -> messages.Answer:
    raise OSError(errno.ENOSPC, "No space left on device", "/var/lib/skiff/x")


def routes() -> router.Router:
    made = router.Router()

    async def echo(request: messages.Request) -> messages.Answer:
        return messages.Response(200, await request.content(1 << 20), "text/plain")

    async def lazy(_request: messages.Request) -> messages.Answer:
        return messages.Response(200, b"unread", "text/plain")

    async def count(_request: messages.Request) -> messages.Answer:
        async def numbers() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"{number}\n".encode()

        return messages.Stream(numbers(), "text/plain")

    async def silence(_request: messages.Request) -> messages.Answer:
        async def nothing() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        return messages.Stream(nothing(), "text/plain", endless=True)

    async def raw(_request: messages.Request) -> messages.Answer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes) -> None:
            writer.write(b"raw:" + early + await reader.read())
            await writer.drain()

        return messages.Hijack(serve)

    for method, path, handler in (
        ("GET", "/full", full),
        ("POST", "/echo", echo),
        ("POST", "/lazy", lazy),
        ("GET", "/count", count),
        ("HEAD", "/count", lazy),
        ("GET", "/silence", silence),
        ("POST", "/raw", raw),
        ("GET", "/fault", fault),
    ):
        made.add(method, path, handler)
    return made


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def converse(path: Path, talk: Talk) -> None:
    """Serve on a socket, run the client's part, then see that the server let every connection go."""

    async def main() -> None:
        served = routes()
        tasks: list[asyncio.Task[None]] = []

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.append(asyncio.ensure_future(connection.Connection(reader, writer, served.handle, HEADERS).serve()))

        server = await asyncio.start_unix_server(connected, str(path))
        reader, writer = await asyncio.open_unix_connection(str(path))
        await asyncio.wait_for(talk(reader, writer), 20)
        writer.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        server.close()

    asyncio.run(main())


async def head(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


@pytest.fixture
def sock(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


def test_requests_follow_one_another_on_a_connection(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in (b"one", b"two"):
            writer.write(b"POST /v1.41/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n" + body)
            answer = await head(reader)
            assert answer.startswith("HTTP/1.1 200 OK\r\n")
            assert "Api-Version: 1.41" in answer
            assert await reader.readexactly(3) == body

    converse(sock, talk)


def test_pipelined_requests_are_answered_in_order(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n" + b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        assert "404 Not Found" in await head(reader)
        assert await reader.readexactly(29) == b'{"message":"page not found"}\n'
        assert "200 OK" in await head(reader)
        assert await reader.readexactly(2) == b"hi"

    converse(sock, talk)


def test_a_body_in_chunks_is_read(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert "Content-Length: 5" in await head(reader)
        assert await reader.readexactly(5) == b"abcde"

    converse(sock, talk)


def test_a_body_that_a_handler_leaves_does_not_spoil_the_next_request(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(b"POST /lazy HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nleft")
            await head(reader)
            assert await reader.readexactly(6) == b"unread"

    converse(sock, talk)


def test_head_has_the_length_and_no_body(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HEAD /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert "Content-Length: 6" in await head(reader)
        assert await reader.read() == b""

    converse(sock, talk)


def test_a_stream_is_chunked_and_the_connection_lives_on(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
            assert "chunked" in (await head(reader)).lower()
            assert await reader.readuntil(b"0\r\n\r\n") == b"2\r\n0\n\r\n2\r\n1\n\r\n2\r\n2\n\r\n0\r\n\r\n"

    converse(sock, talk)


def test_an_endless_answer_ends_when_the_client_leaves(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /silence HTTP/1.1\r\nHost: x\r\n\r\n")
        await head(reader)

    converse(sock, talk)


def test_a_hijacked_connection_turns_raw_with_what_was_sent_early(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /raw HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\nearly,")
        answer = await head(reader)
        assert answer.startswith("HTTP/1.1 101 UPGRADED\r\n")
        assert "Upgrade: tcp" in answer
        writer.write(b"late")
        writer.write_eof()
        assert await reader.read() == b"raw:early,late"

    converse(sock, talk)


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_malformed_http_is_answered_with_400_and_an_end(sock: Path, text: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        assert (await head(reader)).startswith("HTTP/1.1 400 Bad Request\r\n")
        assert b"Bad Request" in await reader.read()

    converse(sock, talk)


def test_a_fault_is_500_and_the_connection_lives_on(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /fault HTTP/1.1\r\nHost: x\r\n\r\n")
        assert "500 Internal Server Error" in await head(reader)
        assert b"boom" in await reader.readline()
        writer.write(b"GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n")
        assert "404" in await head(reader)
        await reader.readline()

    converse(sock, talk)


def test_a_fault_of_the_host_is_told_in_its_words(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /full HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert "500 Internal Server Error" in await head(reader)
        assert await reader.readline() == b'{"message":"No space left on device: /var/lib/skiff/x"}\n'

    converse(sock, talk)


def test_a_client_that_leaves_in_the_middle_of_a_body_is_let_go(sock: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    converse(sock, talk)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1.99/count", "client version 1.99 is too new. Maximum supported API version is 1.41"),
        ("/v1.23/count", "client version 1.23 is too old. Minimum supported API version is 1.24"),
    ],
)
def test_versions_that_are_not_spoken_are_refused(sock: Path, path: str, words: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert "400 Bad Request" in await head(reader)
        assert words in (await reader.read()).decode()

    converse(sock, talk)
