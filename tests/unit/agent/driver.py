"""Plays the control side against the real agent over pipes: sends contents when asked, keeps every message, can stop or vanish.

session = Session(tmp_path)                  # or Session(tmp_path, python="/path/to/python3.6", path="/dir/of/fakes:/usr/bin")
plan, results, done = session.apply([file_(tmp_path / "x", b"text")])
"""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from fleet import bootstrap
from fleet.content import Content
from fleet.exchange.messages import understood

Message = Mapping[str, Any]
TRAP = """
import sys
left = {count}
def trap(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod"):
        left -= 1
        if left == 0:
            import os
            os.kill(os.getpid(), 9)
sys.addaudithook(trap)
"""
STUB = "import sys,binascii,zlib;exec(zlib.decompress(binascii.a2b_base64(sys.argv[1])))"


def frame(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack(">I", len(payload)) + payload


def message_frame(message: Message) -> bytes:
    return frame(b"J", json.dumps(message).encode())


class Exchange:
    """One conversation with one agent's process."""

    def __init__(self, process: subprocess.Popen[bytes], contents: Mapping[str, Content]) -> None:
        self.process = process
        self.contents = dict(contents)
        self.messages: List[Message] = []

    def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(message_frame(message))
        self.process.stdin.flush()

    def send_contents(self, digests: Sequence[str]) -> None:
        assert self.process.stdin is not None
        for digest in digests:
            raw = bytes.fromhex(digest)
            for chunk in self.contents[digest].chunks():
                self.process.stdin.write(frame(b"B", raw + chunk))
            self.process.stdin.write(frame(b"E", raw))
        self.process.stdin.flush()

    def receive(self) -> Optional[Message]:
        """The next message, or None at the end of the stream."""
        assert self.process.stdout is not None
        head = self.process.stdout.read(5)
        if len(head) < 5:
            return None
        kind, length = struct.unpack(">cI", head)
        assert kind == b"J", head
        message: Message = understood(json.loads(self.process.stdout.read(length)))
        self.messages.append(message)
        return message

    def answers(self) -> Iterator[Message]:
        """Every message to the end, contents sent when asked for."""
        while True:
            message = self.receive()
            if message is None:
                return
            if message["type"] == "need":
                with contextlib.suppress(BrokenPipeError):  # killed by the test
                    self.send_contents(message["sha256"])
            yield message
            if message["type"] in ("done", "fatal"):
                return

    def of_type(self, kind: str) -> List[Message]:
        return [message for message in self.messages if message["type"] == kind]

    def one(self, kind: str) -> Message:
        (message,) = self.of_type(kind)
        return message

    def close(self) -> str:
        """End of stdin, then the end of the process; what it said on stderr."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended first
            self.process.stdin.close()
        stderr = self.process.stderr.read().decode()
        self.process.stderr.close()
        self.process.stdout.close()
        self.process.wait(30)
        return stderr


class Session:
    """A host as far as the agent sees one: its own directory and lock, and a PATH.

    With `trap`, the agent is killed right before its nth write to the file system; `within` is put before its command line,
    `options` are its interpreter's, and `before` runs first of all.
    """

    def __init__(self, root: Path, python: str = sys.executable, path: Optional[str] = None) -> None:
        self.home, self.lock = root / "skiff-agent", root / "skiff-agent.lock"
        self.python = python
        self.path = path or "/usr/sbin:/usr/bin:/sbin:/bin"
        self.stderr = ""
        self.trap: Optional[int] = None
        self.within: Sequence[str] = ()
        self.options: Sequence[str] = ("-I",)
        self.before = ""

    def start(self, contents: Mapping[str, Content] = MappingProxyType({})) -> Exchange:
        """The agent, started as the bootstrap's shell starts it, its hello received."""
        program = bootstrap.program()
        code = STUB if self.trap is None else TRAP.format(count=self.trap) + STUB
        argv = [
            *self.within,
            self.python,
            *self.options,
            "-c",
            self.before + code,
            bootstrap.stub(),
            program.sha256,
            str(len(program.data)),
            str(self.home),
            str(self.lock),
        ]
        environment = {"PATH": self.path, "LC_ALL": "C", "HOME": "/"}
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        exchange = Exchange(process, contents)
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.peek(1)[:1]  # type: ignore[attr-defined] # a BufferedReader, as Popen opens it
        if first == b"n":
            assert process.stdout.readline() == b"need\n"
            process.stdin.write(program.data)
            process.stdin.flush()
        hello = exchange.receive()
        if self.trap is None:
            assert (hello or {"type": exchange.close()})["type"] == "hello"
        return exchange

    def run(
        self,
        mode: str,
        resources: Sequence[Message],
        probes: Sequence[Message] = (),
        on_message: Optional[Callable[[Exchange, Message], None]] = None,
        **fields: Any,
    ) -> Exchange:
        """A whole exchange. `on_message` sees each message, and may kill or stop."""
        exchange = self.start(contents_of(resources, probes))
        try:
            if exchange.messages:
                exchange.send(desired(mode, resources, probes, **fields))
            for message in exchange.answers():
                if on_message is not None:
                    on_message(exchange, message)
        finally:
            self.stderr = exchange.close()
        return exchange

    def apply(self, resources: Sequence[Message], **fields: Any) -> Tuple[Message, List[Message], Message]:
        """An apply: its plan, its results and its done."""
        exchange = self.run("apply", resources, **fields)
        assert not exchange.of_type("fatal"), exchange.messages
        return exchange.one("plan"), exchange.of_type("result"), exchange.one("done")

    def check(self, resources: Sequence[Message]) -> Message:
        """The plan alone."""
        return self.run("check", resources).one("plan")


def desired(mode: str, resources: Sequence[Message], probes: Sequence[Message] = (), **fields: Any) -> Message:
    bare = [{key: value for key, value in one.items() if key not in ("_content", "_files")} for one in resources]
    message = {"type": "desired", "mode": mode, "run": "run-1", "who": "tester@control pid 1", "diff": True, "lock_timeout": 0}
    message["secrets"] = []
    return {**message, "resources": bare, "probes": [{**one, "contents": _wire(one["contents"])} for one in probes], **fields}


def _wire(contents: Mapping[str, Content]) -> Message:
    return {name: {"sha256": one.sha256, "size": one.size} for name, one in contents.items()}


def contents_of(resources: Sequence[Message], probes: Sequence[Message] = ()) -> Mapping[str, Content]:
    """The contents that the control side holds for these."""
    found = [one["_content"] for one in resources if one.get("_content") is not None]
    found += [content for one in resources for content in one.get("_files", ())]
    found += [content for probe in probes for content in probe["contents"].values()]
    return {content.sha256: content for content in found}
