"""Reads a container's json-file log, across its rotated files, once or following; writing is the shim's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import AsyncIterator, Callable, Iterator, Optional

STDOUT, STDERR = 1, 2
STREAMS = {"stdout": STDOUT, "stderr": STDERR}
POLL_SECONDS = 0.1
BLOCK = 1 << 16
FRACTION = re.compile(r"\.(\d+)")


@dataclass(frozen=True)
class Query:
    """Which lines are wanted; `tail` None is all, `since` and `until` are seconds of the epoch, 0 for no bound."""

    stdout: bool = True
    stderr: bool = True
    tail: Optional[int] = None
    since: float = 0.0
    until: float = 0.0
    timestamps: bool = False

    def line(self, text: bytes) -> Optional[tuple[int, bytes]]:
        """Stream and text of one line of the file, or None if it is not wanted (or was cut by a crash)."""
        try:
            entry = json.loads(text)
            stream, log, time = STREAMS[entry["stream"]], entry["log"], entry["time"]
        except (ValueError, KeyError, TypeError):
            return None
        if not (self.stdout if stream == STDOUT else self.stderr):
            return None
        if self.since or self.until:
            moment = epoch(time)
            if moment < self.since or (self.until and moment > self.until):
                return None
        stamp = f"{time} " if self.timestamps else ""
        return stream, f"{stamp}{log}".encode("utf-8", "surrogateescape")


def epoch(time: str) -> float:
    """Seconds of an RFC 3339 time, whatever the number of its fraction's digits."""
    whole = FRACTION.sub("", time).replace("Z", "+00:00")
    try:
        seconds = datetime.fromisoformat(whole)
    except ValueError:
        return 0.0
    if seconds.tzinfo is None:
        seconds = seconds.replace(tzinfo=timezone.utc)
    fraction = FRACTION.search(time)
    return seconds.timestamp() + (float(f"0.{fraction[1]}") if fraction else 0.0)


def files(path: str) -> list[str]:
    """The log's files, oldest first: path.2, path.1, path."""
    rotated: list[str] = []
    while os.path.exists(f"{path}.{len(rotated) + 1}"):
        rotated.append(f"{path}.{len(rotated) + 1}")
    return [*reversed(rotated), path]


def history(path: str, query: Query, end: Optional[int] = None) -> Iterator[tuple[int, bytes]]:
    """The wanted lines that are there now; `end` is where to stop in the newest file."""
    if query.tail is not None:
        yield from _last(path, query, query.tail, end)
        return
    for name in files(path):
        for text in _whole_lines(name, end if name == path else None):
            line = query.line(text)
            if line:
                yield line


def _whole_lines(path: str, end: Optional[int]) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            size = 0
            for text in file:
                size += len(text)
                if not text.endswith(b"\n") or (end is not None and size > end):
                    return
                yield text
    except FileNotFoundError:
        return


def _last(path: str, query: Query, count: int, end: Optional[int]) -> list[tuple[int, bytes]]:
    """The last wanted lines, found from the end, so that a long log costs no more than its tail."""
    found: list[tuple[int, bytes]] = []
    for name in reversed(files(path)):
        for text in _lines_backwards(name, end if name == path else None):
            if len(found) == count:
                return found[::-1]
            line = query.line(text)
            if line:
                found.append(line)
    return found[::-1]


def _lines_backwards(path: str, end: Optional[int]) -> Iterator[bytes]:
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below, once it is known to be there
    except FileNotFoundError:
        return
    with file:
        position = file.seek(0, os.SEEK_END) if end is None else end
        rest = b""
        while position:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            lines = (file.read(step) + rest).split(b"\n")
            rest = lines[0]
            yield from (line for line in reversed(lines[1:]) if line)
        if rest:
            yield rest


class Follower:
    """Reads lines as they are appended; a rotated file is read to its end before the new one is begun."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._inode = 0
        self._rest = b""

    def skip_to_end(self) -> int:
        """Begin behind what is there now; the place where that is."""
        self._open()
        return os.lseek(self._descriptor, 0, os.SEEK_END) if self._descriptor >= 0 else 0

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        self._inode = os.fstat(self._descriptor).st_ino

    def lines(self) -> list[bytes]:
        """The whole lines that came since the last call."""
        if self._descriptor < 0:
            self._open()
        data = self._read()
        if self._rotated():
            # What was written to the old file between the read and the rename is still in it.
            data += self._read()
            data += b"".join(_content(name) for name in self._between())
            self.close()
            self._open()
            data += self._read()
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    def _between(self) -> list[str]:
        """The rotated files that are newer than the one read so far: there are some if it was rotated more than once."""
        rotated = files(self._path)[:-1]
        for place, name in enumerate(rotated):
            with contextlib.suppress(FileNotFoundError):
                if os.stat(name).st_ino == self._inode:
                    return rotated[place + 1 :]
        return rotated

    def _rotated(self) -> bool:
        try:
            return self._descriptor >= 0 and os.stat(self._path).st_ino != self._inode
        except FileNotFoundError:
            return False

    def _read(self) -> bytes:
        parts = []
        while self._descriptor >= 0 and (part := os.read(self._descriptor, BLOCK)):
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


async def follow(path: str, query: Query, ended: Callable[[], bool]) -> AsyncIterator[tuple[int, bytes]]:
    """The history, then lines as they come, until `ended` and nothing is left."""
    follower = Follower(path)
    try:
        end = follower.skip_to_end()
        for line in history(path, query, end):
            yield line
        while True:
            last_look = ended()
            for text in follower.lines():
                found = query.line(text)
                if found:
                    yield found
            if last_look or (query.until and datetime.now(timezone.utc).timestamp() > query.until):
                return
            await asyncio.sleep(POLL_SECONDS)
    finally:
        follower.close()
