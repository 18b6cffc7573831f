"""The bytes that resources need: asked for by digest, checked on arrival, small ones in memory, large ones in the spool."""

import io
import os

from fleet.agent import frames
from fleet.agent.errors import AgentError, from_os
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

IN_MEMORY = 1 << 20
CHUNK = 1 << 20


class Contents:
    """What has arrived, by sha256. `ask` sends the need, `receive` gives the frames that answer it."""

    def __init__(self, state: State, ask: "Callable[[List[str]], None]", receive: "Callable[[], Tuple[bytes, bytes]]") -> None:
        self._state = state
        self._ask = ask
        self._receive = receive
        self._memory: "Dict[str, bytes]" = {}
        self._spooled: "Set[str]" = set()

    def fetch(self, wanted: "Iterable[Dict[str, Any]]") -> None:
        """Have these contents here, asking once for all that are missing.

        Raises:
            AgentError: the bytes that came are not those asked for, or the spool is full.
        """
        sizes = {content["sha256"]: content["size"] for content in wanted}
        missing = sorted(digest for digest in sizes if digest not in self._memory and digest not in self._spooled)
        if not missing:
            return
        self._ask(missing)
        arriving = {digest: _Arrival(self._receiver(digest, sizes[digest])) for digest in missing}
        try:
            while arriving:
                self._take(arriving)
        except OSError as error:
            raise from_os(error, self._state.path("spool")) from error
        finally:
            for digest, arrival in arriving.items():
                arrival.give_up(self.path(digest))

    def chunks(self, content: "Dict[str, Any]") -> "Iterator[bytes]":
        """A content's bytes, fetched now if they are not here."""
        with self.open(content) as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                yield chunk

    def read(self, content: "Dict[str, Any]") -> bytes:
        """A content's bytes at once."""
        return b"".join(self.chunks(content))

    def open(self, content: "Dict[str, Any]") -> "IO[bytes]":
        """A content as a file, fetched now if it is not here."""
        self.fetch([content])
        digest = content["sha256"]
        return io.BytesIO(self._memory[digest]) if digest in self._memory else open(self.path(digest), "rb")

    def lay(self, content: "Dict[str, Any]", path: str) -> None:
        """Have a content under a name of its own: a link to the spool's file, or a small file."""
        self.fetch([content])
        if content["sha256"] in self._spooled:
            os.symlink(self.path(content["sha256"]), path)
            return
        with open(path, "wb") as stream:
            stream.write(self._memory[content["sha256"]])

    def path(self, digest: str) -> str:
        """Where the spool keeps a content."""
        return self._state.path("spool", digest)

    def clear(self) -> None:
        """Empty the spool, of an earlier, broken run too; what cannot be removed is overwritten when it is needed."""
        folder = self._state.path("spool")
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            _remove(os.path.join(folder, name))
        self._spooled.clear()

    def _receiver(self, digest: str, size: int) -> "IO[bytes]":
        if size <= IN_MEMORY:
            return io.BytesIO()
        self._state.prepare("spool")
        try:
            return open(self.path(digest), "w+b")
        except OSError as error:
            raise from_os(error, self.path(digest)) from error

    def _take(self, arriving: "Dict[str, _Arrival]") -> None:
        kind, payload = self._receive()
        digest = payload[:32].hex()
        if kind == frames.JSON or digest not in arriving:
            raise AgentError("the control side sent what was not asked for", digest)
        if kind == frames.BYTES:
            arriving[digest].add(payload[32:])
            return
        if arriving[digest].digest.hexdigest() != digest:
            raise AgentError("a content arrived damaged", "expected sha256 {}".format(digest), "run again")
        kept = arriving[digest].close()
        del arriving[digest]
        if kept is None:
            self._spooled.add(digest)
        else:
            self._memory[digest] = kept


class _Arrival:
    """A content on its way in."""

    def __init__(self, stream: "IO[bytes]") -> None:
        self._stream = stream
        import hashlib  # slow to import: in a run without changes nothing arrives

        self.digest = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Take one piece."""
        self.digest.update(chunk)
        self._stream.write(chunk)

    def close(self) -> "Optional[bytes]":
        """End it; the bytes, where they are kept in memory."""
        kept = self._stream.getvalue() if hasattr(self._stream, "getvalue") else None
        self._stream.close()
        return kept

    def give_up(self, path: str) -> None:
        """End it before its time; a full disk gets its room back."""
        try:
            self._stream.close()
        except OSError:
            pass  # its last bytes found no room
        _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # never made, or not to be removed
