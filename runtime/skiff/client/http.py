"""HTTP/1.1 over a unix socket, as much of it as talking to the Engine API takes: calls, streams, raw connections."""

from __future__ import annotations

import _socket

from skiff.client import documents
from skiff.errors import SkiffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Optional

DEFAULT_HOST = "unix:///run/skiff.sock"
PREFIX = "/v1.41"
BLOCK = 65536
UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:")


class DaemonError(SkiffError):
    """The daemon answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class NoDaemon(SkiffError):
    """Nobody answers at the address."""


def quote(text: str) -> str:
    """Percent-encode for a path or a query value."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def query(**values: Optional[object]) -> str:
    """A query string of the values that are given: True is 1, False and None are left out."""
    pairs = [(name, value) for name, value in values.items() if value is not None and value is not False]
    return "?" + "&".join(f"{name}={'1' if value is True else quote(str(value))}" for name, value in pairs) if pairs else ""


class Answer:
    """One response; its body is read once, whole or in parts."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        head = self._until(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(start.split(" ", 2)[1])
        pairs = [line.partition(":") for line in lines]
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}

    def _more(self) -> None:
        data = self.sock.recv(BLOCK)
        if not data:
            raise SkiffError("the daemon closed the connection before its answer was whole; look at its log: journalctl -u skiff")
        self.buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def parts(self) -> Iterator[bytes]:
        """The body as it comes."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                yield self._exactly(size)
                self._exactly(2)
            return
        if self.status in (204, 304):
            return
        length = self.headers.get("content-length")
        if length is not None:
            yield self._exactly(int(length))
            return
        yield self.buffer
        while data := self.sock.recv(BLOCK):
            yield data

    def text(self) -> str:
        """The whole body."""
        return b"".join(self.parts()).decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of the connection."""
        self.sock.close()


class Client:
    """Calls to one daemon, each on a connection of its own."""

    def __init__(self, host: str) -> None:
        scheme, separator, path = host.partition("://")
        if scheme != "unix" or not separator or not path.startswith("/"):
            raise SkiffError(f'unable to parse docker host "{host}": this client speaks over unix:///path only')
        self.host = host
        self._path = path

    def _connect(self) -> _socket.socket:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            sock.connect(self._path)
        except PermissionError:
            sock.close()
            raise NoDaemon(
                f"permission denied while trying to connect to the Skiff daemon at {self.host}; "
                "use sudo, or join the group that owns the socket"
            ) from None
        except OSError:
            sock.close()
            raise NoDaemon(
                f"Cannot connect to the Skiff daemon at {self.host}. Is the skiff daemon running? "
                "Start it with: systemctl start skiff"
            ) from None
        return sock

    def open(
        self, method: str, path: str, document: object = None, body: Optional[Iterable[bytes]] = None, upgrade: str = ""
    ) -> Answer:
        """Send a request and read the head of the answer; DaemonError for an error."""
        sock = self._connect()
        lines = [f"{method} {PREFIX}{path} HTTP/1.1", "Host: skiff", "User-Agent: skiff"]
        content = b""
        if document is not None:
            content = documents.dump(document).encode("ascii")
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        elif body is not None:
            lines += ["Content-Type: application/x-tar", "Transfer-Encoding: chunked"]
        elif method == "POST":
            lines.append("Content-Length: 0")
        lines.append(f"Connection: Upgrade\r\nUpgrade: {upgrade}" if upgrade else "Connection: close")
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii") + content)
        if body is not None:
            _send_chunks(sock, body)
        answer = Answer(sock)
        if answer.status >= 400:
            raise DaemonError(answer.status, _message(answer))
        return answer

    def call(self, method: str, path: str, document: object = None) -> Any:
        """The JSON of a whole answer, None if it is empty."""
        answer = self.open(method, path, document)
        text = answer.text()
        answer.close()
        return documents.load(text) if text.strip() else None


def _send_chunks(sock: _socket.socket, body: Iterable[bytes]) -> None:
    try:
        for part in body:
            if part:
                sock.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        sock.sendall(b"0\r\n\r\n")
    except BrokenPipeError:
        # The daemon has refused already; its answer says why.
        return


def _message(answer: Answer) -> str:
    text = answer.text()
    answer.close()
    try:
        return str(documents.load(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or f"status {answer.status}"
