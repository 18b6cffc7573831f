"""Frames over two descriptors: four bytes of length and a payload behind one byte of kind. Knows no message's meaning."""

import os
import select
import sys

from fleet.agent import notation
from fleet.agent.errors import AgentError, ControlGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple, Union

JSON = b"J"
BYTES = b"B"
END = b"E"
LIMIT = 16 << 20
HEAD = 5  # bytes: the kind, and the length
VERBATIM = {"values", "variables", "secrets"}  # contents to come, not paths or arguments


def native(value: "Any") -> "Any":
    """Strings as this interpreter hands them to the kernel: 3.6 in the C locale knows ASCII and escaped bytes only."""
    if isinstance(value, str):
        return os.fsdecode(value.encode("utf-8"))
    if isinstance(value, list):
        return [native(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key in VERBATIM else native(item) for key, item in value.items()}
    return value


class Channel:
    """Both directions of the exchange. Output is held until something has to be seen by the other side.

    `redact` sees each message before it is sent.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._received = bytearray()
        self._held = bytearray()
        self.gone = False
        self.redact: "Callable[[Any], Any]" = lambda message: message

    def send(self, message: "Dict[str, Any]", flush: bool = True) -> None:
        """Queue a message; with `flush`, write all that is queued. A dead control side is noted, not raised."""
        payload = _encode(notation.dumps(self.redact(message)))
        self._held += head(JSON, len(payload)) + payload
        if flush or len(self._held) > LIMIT:
            self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        held, self._held = memoryview(bytes(self._held)), bytearray()
        try:
            while held and not self.gone:
                held = held[os.write(self._sink, held) :]
        except OSError:
            self.gone = True

    def receive(self, timeout: "Optional[float]" = None) -> "Optional[Tuple[bytes, bytes]]":
        """The next frame as kind and payload, or None when `timeout` ran out.

        Raises:
            ControlGone: the stream ended.
            AgentError: the bytes are no frame.
        """
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            if not select.select([self._source], [], [], timeout)[0]:
                return None
            try:
                chunk = os.read(self._source, 1 << 18)
            except OSError:
                chunk = b""
            if not chunk:
                self.gone = True
                raise ControlGone()
            self._received += chunk

    def _take(self) -> "Optional[Tuple[bytes, bytes]]":
        if len(self._received) < HEAD:
            return None
        kind, length = told_by(self._received)
        if kind not in (JSON, BYTES, END) or length > LIMIT:
            raise AgentError("the control side sent bytes that are no frame", repr(bytes(self._received[:5])))
        end = HEAD + length
        if len(self._received) < end:
            return None
        payload = bytes(self._received[HEAD:end])
        del self._received[:end]
        return kind, payload


def head(kind: bytes, length: int) -> bytes:
    """What a frame begins with."""
    return kind + length.to_bytes(HEAD - 1, "big")


def told_by(data: "Union[bytes, bytearray]") -> "Tuple[bytes, int]":
    """The kind and length of the frame that begins so."""
    return bytes(data[:1]), int.from_bytes(data[1:HEAD], "big")


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair, as a JSON file on the host may have it
        return text.encode("utf-8", "replace")


def decode(payload: bytes) -> "Dict[str, Any]":
    """A JSON frame's message.

    Raises:
        AgentError: it is not an object with a type.
    """
    try:
        message = notation.loads(payload.decode("utf-8"))
    except ValueError as error:
        raise AgentError("the control side sent a message that is not JSON", str(error)) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise AgentError("the control side sent a message without a type")
    found: "Dict[str, Any]" = message if sys.getfilesystemencoding() == "utf-8" else native(message)
    return found
