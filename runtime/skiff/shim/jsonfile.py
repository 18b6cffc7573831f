"""Docker's json-file log: a JSON object a line, cut at 16 KiB, rotated by size.

<path>  <path>.1  ...  <path>.<max-file - 1>    newest first

What the disk does not take is lost, as Docker loses it: a full one must end no container.
"""

from __future__ import annotations

import os
from _json import encode_basestring  # json.encoder would load re

from skiff.errors import suppress
from skiff.oci import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_LIMIT = 16 * 1024


class JsonFile:
    """One container's log."""

    def __init__(self, path: str, max_size: int | None = None, max_file: int | None = None) -> None:
        self._path = path
        self._max_size = max_size or 0
        self._max_file = max_file or 1
        self._pending = {"stdout": b"", "stderr": b""}
        self._fd = -1
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Log the whole lines; what has no end yet waits for it, up to the limit."""
        data = self._pending[stream] + data
        entries = []
        begin = 0
        while True:
            end = data.find(b"\n", begin, begin + LINE_LIMIT) + 1
            if not end:
                if len(data) - begin < LINE_LIMIT:
                    break
                end = begin + LINE_LIMIT
            entries.append(data[begin:end])
            begin = end
        self._pending[stream] = data[begin:]
        if entries:
            self._append(stream, entries)

    def flush(self, stream: str) -> None:
        """At the end of a stream: log what has no newline."""
        rest, self._pending[stream] = self._pending[stream], b""
        if rest:
            self._append(stream, [rest])

    def _append(self, stream: str, entries: list[bytes]) -> None:
        tail = f',"stream":"{stream}","time":"{clock.now()}"}}\n'
        lines = [f'{{"log":{encode_basestring(entry.decode("utf-8", "replace"))}{tail}'.encode() for entry in entries]
        if not self._max_size:
            self._put(b"".join(lines))
            return
        for line in lines:
            if self._size >= self._max_size:
                self._rotate()
            self._put(line)

    def _put(self, data: bytes) -> None:
        """Whole, or not at all: half an entry would make the log unreadable."""
        with suppress(OSError):
            if self._fd < 0:
                self._open()
            taken = os.write(self._fd, data)
            if taken == len(data):
                self._size += taken
            else:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - taken)

    def _rotate(self) -> None:
        with suppress(OSError):
            self._shift()

    def _shift(self) -> None:
        self.close()
        for number in range(self._max_file - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            if os.path.exists(older):
                os.rename(older, f"{self._path}.{number}")
        if self._max_file == 1:
            os.truncate(self._path, 0)
        self._open()

    def close(self) -> None:
        """After the last line."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def from_request(log: dict[str, Any]) -> JsonFile | None:
    """The log that a create request asks for."""
    if log.get("driver") != "json-file" or not log.get("path"):
        return None
    return JsonFile(log["path"], log.get("max-size"), log.get("max-file"))
