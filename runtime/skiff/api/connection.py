"""One client's connection: HTTP/1.1 by h11 over a pair of streams, with keep-alive, streamed answers and hijacking."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import AsyncIterator, Mapping

import h11

from skiff.api import messages
from skiff.errors import InvalidInput, SkiffError

LOG = logging.getLogger("skiff.api")
READ_SIZE = 65536
IDLE_SECONDS = 300.0
MAX_HEAD = 65536
MAX_LEFT_BODY = 1 << 20
FINISHED = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


class Connection:
    """Serves requests of one connection until either side closes it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: messages.Handler,
        headers: Mapping[str, str],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._headers = headers
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def serve(self) -> None:
        """Answer requests one after the other; never raises for what a client does."""
        try:
            while await self._serve_one():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            with contextlib.suppress(ConnectionError):
                await self._refuse(str(error))
        except (messages.ClientGone, ConnectionError, asyncio.TimeoutError):
            pass
        except (SkiffError, OSError) as error:
            # The head has gone out: all that is left to say is an end before the end.
            LOG.warning("an answer was broken off: %s", error)
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _serve_one(self) -> bool:
        """One request and its answer; true if the connection can take another."""
        head = await asyncio.wait_for(self._next_event(), IDLE_SECONDS)
        if not isinstance(head, h11.Request):
            return False
        answer = await self._handler(self._request(head))
        if isinstance(answer, messages.Hijack):
            await self._hijack(head, answer)
            return False
        body_withheld = self._http.they_are_waiting_for_100_continue
        if isinstance(answer, messages.Stream):
            await self._stream(answer)
        else:
            await self._whole(head, answer)
        if not body_withheld:
            await self._drain_body()
        return self._http.states == FINISHED

    def _request(self, head: h11.Request) -> messages.Request:
        try:
            path, query = messages.split_target(head.target.decode("ascii"))
        except ValueError as error:
            raise h11.RemoteProtocolError(f"request target: {error}") from None
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        return messages.Request(head.method.decode("ascii"), path, query, headers, self._body())

    async def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(READ_SIZE))

    async def _body(self) -> AsyncIterator[bytes]:
        while self._http.their_state is h11.SEND_BODY:
            try:
                event = await self._next_event()
            except h11.RemoteProtocolError as error:
                if self._reader.at_eof():
                    raise messages.ClientGone from error
                raise InvalidInput(f"Bad Request: {error}") from error
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def _drain_body(self) -> None:
        """Read what a handler left of the body, a little of it: past that the connection is closed instead."""
        size = 0
        async for part in self._body():
            size += len(part)
            if size > MAX_LEFT_BODY:
                return

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)

    def _start(self, status: int, extra: Mapping[str, str]) -> None:
        headers = [*self._headers.items(), ("Date", formatdate(usegmt=True)), *extra.items()]
        self._send(h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()))

    async def _whole(self, head: h11.Request, answer: messages.Response) -> None:
        bodiless = answer.status in (204, 304)
        extra = dict(answer.headers)
        if answer.content_type:
            extra["Content-Type"] = answer.content_type
        if not bodiless:
            extra["Content-Length"] = str(len(answer.body))
        self._start(answer.status, extra)
        if answer.body and head.method != b"HEAD" and not bodiless:
            self._send(h11.Data(data=answer.body))
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def _stream(self, answer: messages.Stream) -> None:
        self._start(200, {"Content-Type": answer.content_type} if answer.content_type else {})
        sending = asyncio.ensure_future(self._send_chunks(answer))
        watching = asyncio.ensure_future(self._client_leaves(answer))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise messages.ClientGone
            sending.result()
        finally:
            sending.cancel()
            watching.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)

    async def _send_chunks(self, answer: messages.Stream) -> None:
        await self._writer.drain()
        async for chunk in answer.chunks:
            if chunk:
                self._send(h11.Data(data=chunk))
                await self._writer.drain()
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def _client_leaves(self, answer: messages.Stream) -> None:
        """Returns when the client of an endless answer has closed; else, or if it pipelines requests, never."""
        if answer.endless:
            await self._drain_body()
            data = await self._reader.read(READ_SIZE)
            self._http.receive_data(data)
            if not data:
                return
        await asyncio.Event().wait()

    async def _hijack(self, head: h11.Request, answer: messages.Hijack) -> None:
        await self._drain_body()
        upgrade = next((value.decode("latin-1") for name, value in head.headers if name == b"upgrade"), None)
        lines = ["HTTP/1.1 101 UPGRADED", "Connection: Upgrade", f"Upgrade: {upgrade}"] if upgrade else ["HTTP/1.1 200 OK"]
        lines += [f"Content-Type: {answer.content_type}", *(f"{name}: {value}" for name, value in self._headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        await self._writer.drain()
        await answer.serve(self._reader, self._writer, self._http.trailing_data[0])

    async def _refuse(self, reason: str) -> None:
        """Malformed HTTP: one 400, then the connection closes."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = messages.encode({"message": f"Bad Request: {reason}"})
            extra = {"Content-Type": messages.JSON, "Content-Length": str(len(body)), "Connection": "close"}
            self._start(400, extra)
            self._send(h11.Data(data=body))
            self._send(h11.EndOfMessage())
            await self._writer.drain()
