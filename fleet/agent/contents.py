"""The bytes that resources need: asked for by digest, checked on arrival, small ones in memory, large ones in the spool.

What verifications take is the same each time: it stays, and is held against its digest when it is taken again.
"""

import io
import os

from fleet.agent import atomic, frames
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
        self._kept: "Dict[str, str]" = {}

    def fetch(self, wanted: "Iterable[Dict[str, Any]]") -> None:
        """Have these contents here, asking once for all that are missing.

        Raises:
            AgentError: the bytes that came are not those asked for, or the spool is full.
        """
        sizes = {content["sha256"]: content["size"] for content in wanted}
        missing = sorted(
            digest for digest in sizes if not any(digest in there for there in (self._memory, self._spooled, self._kept))
        )
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

    def fetch_to_keep(self, wanted: "Iterable[Dict[str, Any]]", folder: str) -> None:
        """As `fetch`; they stay in one of the agent's directories for the next run, and what is wanted no more goes from there.

        Raises:
            AgentError: as `fetch` does. That they cannot be kept is no fault.
        """
        contents = {content["sha256"]: content for content in wanted}
        if not contents:
            return
        lasting = os.path.isdir(self._state.home)  # a host that is merely looked at is left as it is
        paths = {digest: self._state.path(folder, digest) for digest in contents}
        self._kept.update((digest, path) for digest, path in paths.items() if _is(path, digest))
        self.fetch(contents.values())
        if not lasting:
            return
        try:
            self._keep({digest: path for digest, path in paths.items() if digest not in self._kept}, folder)
        except (AgentError, OSError):
            return  # a full disk: they are sent again

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
        if digest in self._memory:
            return io.BytesIO(self._memory[digest])
        return open(self._kept.get(digest) or self.path(digest), "rb")

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
        """Empty the spool, of an earlier, broken run too; what cannot be removed is overwritten when it is needed.

        Where it is all that the home has, the host was merely looked at: both go.
        """
        folder = self._state.path("spool")
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            _remove(os.path.join(folder, name))
        self._spooled.clear()
        if os.path.isdir(folder) and os.listdir(self._state.home) == ["spool"]:
            _remove_empty(folder)
            _remove_empty(self._state.home)

    def _keep(self, paths: "Dict[str, str]", folder: str) -> None:
        if paths:
            self._state.prepare(folder)
            for digest, path in paths.items():
                if digest in self._memory:
                    atomic.write(path, [self._memory[digest]], 0o600)
                else:
                    os.rename(self.path(digest), path)
                    self._spooled.remove(digest)
                self._kept[digest] = path
        for name in os.listdir(self._state.path(folder)) if os.path.isdir(self._state.path(folder)) else ():
            if name not in self._kept:
                _remove(self._state.path(folder, name))

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


def _is(path: str, digest: str) -> bool:
    """Whether a file has the bytes of this digest."""
    import hashlib  # slow to import

    found = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                found.update(chunk)
    except OSError:
        return False
    return found.hexdigest() == digest


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # never made, or not to be removed


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return  # something is in it still
