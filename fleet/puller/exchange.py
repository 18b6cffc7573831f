"""One exchange with this host's agent over two pipes, as docs/exchange.md tells it: the control side's part."""

import json
import os
import select
import sys

from fleet.agent import child
from fleet.agent.errors import AgentError
from fleet.agent.frames import BYTES, END, HEAD, JSON, LIMIT, head, told_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional

    Message = Dict[str, Any]

PROTOCOL = 1
NEED = b"need\n"
LOOK = 0.2  # seconds
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Agent:
    """The agent in a process of its own, started by these arguments of Python's as a control machine would start it.

    `contents` gives the bytes of a digest; `digest` is the program's own.
    """

    def __init__(self, arguments: "List[str]", digest: str, contents: "Callable[[str], Iterator[bytes]]") -> None:
        self._digest = digest
        self._contents = contents
        run = [sys.executable, "-IBS", *arguments]
        source, self._sink = os.pipe()
        self._source, sink = os.pipe()
        clean = ["/usr/bin/env", "-i", "LC_ALL=C", "HOME=/root", "PATH=" + SEARCH_PATH]
        try:
            self._process = child.start(clean + run, (source, sink, 2))
        except OSError as error:
            raise AgentError("the agent cannot be started: {}".format(error.strerror)) from error
        finally:
            os.close(source)
            os.close(sink)
        self._received = bytearray()

    def hello(self) -> "Message":
        """Its first message, with the facts.

        Raises:
            AgentError: it does not come.
        """
        message = self._next(lambda: False)
        if message["type"] != "hello" or message.get("protocol") != PROTOCOL:
            raise _fatal(message)
        return message

    def run(self, desired: "Message", stopping: "Callable[[], bool]") -> "Iterator[Message]":
        """Its answers to a desired state, up to `done`; once `stopping` says so it is told to finish what it has in hand.

        Raises:
            AgentError: the exchange cannot go on.
        """
        self._send_message(dict(desired, type="desired"))
        while True:
            message = self._next(stopping)
            if message["type"] == "need":
                for digest in message["sha256"]:
                    self._send_content(digest)
            elif message["type"] == "fatal":
                raise _fatal(message)
            else:
                yield message
            if message["type"] == "done":
                return

    def end(self) -> None:
        """Let it go, and wait for it: it finishes the resource in hand."""
        os.close(self._sink)
        os.close(self._source)
        os.waitpid(self._process, 0)

    def _next(self, stopping: "Callable[[], bool]") -> "Message":
        told = False
        while True:
            if not told and stopping():
                self._send_message({"type": "stop"})
                told = True
            frame = self._take()
            if frame is not None:
                return frame
            if not select.select([self._source], [], [], LOOK)[0]:
                continue
            chunk = os.read(self._source, 1 << 16)
            if not chunk:
                raise AgentError("the agent ended before it was done", "", "its last words are in this unit's journal")
            self._received += chunk

    def _take(self) -> "Optional[Message]":
        if self._received.startswith(NEED):
            del self._received[: len(NEED)]
            for chunk in self._contents(self._digest):
                self._write(chunk)
        if len(self._received) < HEAD or NEED.startswith(bytes(self._received[: len(NEED)])):
            return None
        kind, length = told_by(self._received)
        if kind != JSON or length > LIMIT:
            raise AgentError("the agent sent bytes that are no frame", repr(bytes(self._received[:60])))
        if len(self._received) < HEAD + length:
            return None
        payload = bytes(self._received[HEAD : HEAD + length])
        del self._received[: HEAD + length]
        return json.loads(payload.decode("utf-8", "replace"))  # type: ignore[no-any-return] # the agent's own

    def _send_message(self, message: "Message") -> None:
        self._send(JSON, json.dumps(message).encode("ascii"))

    def _send_content(self, digest: str) -> None:
        raw = bytes.fromhex(digest)
        for chunk in self._contents(digest):
            self._send(BYTES, raw + chunk)
        self._send(END, raw)

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._write(head(kind, len(payload)) + payload)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._sink, view) :]
        except BrokenPipeError as error:
            raise AgentError("the agent ended before it was done", "", "its last words are in this unit's journal") from error


def failures(results: "List[Message]") -> "List[Dict[str, str]]":
    """What failed: each error with the resource's id."""
    return [dict(one["error"], id=one["id"]) for one in results if one["status"] == "failed"]


def _fatal(message: "Message") -> AgentError:
    error = message.get("error")
    if message["type"] != "fatal" or not isinstance(error, dict):
        return AgentError("the agent speaks another protocol", repr(message)[:200], "publish again")
    return AgentError(str(error["brief"]), str(error["details"]), str(error["resolution"]))
