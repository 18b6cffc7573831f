"""A client of the system's message bus: method calls and their answers, signals while waiting; what systemd needs and no more.

D-Bus specification 0.41: little-endian messages, the EXTERNAL login, no descriptors passed.
"""

from __future__ import annotations

import os
import socket
import struct

from skiff.errors import SkiffError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "/run/dbus/system_bus_socket"
TIMEOUT = 30.0
MAX_MESSAGE = 1 << 27
_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
# Types of fixed size: how struct packs them; each is aligned to its size.
_FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
_ALIGNMENT = {"s": 4, "o": 4, "a": 4, "(": 8, "{": 8}


class BusError(SkiffError):
    """The other side refused; `name` is the error's."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class Message:
    """One that came."""

    __slots__ = ("body", "fields", "kind")

    def __init__(self, kind: int, fields: dict[int, Any], body: list[Any]) -> None:
        self.kind, self.fields, self.body = kind, fields, body


class Bus:
    """One connection, logged in."""

    def __init__(self, path: str = SOCKET) -> None:
        self._serial = 0
        self._signals: list[Message] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(TIMEOUT)
        try:
            self._sock.connect(path)
            self._log_in()
            self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
        except SkiffError:
            self._sock.close()
            raise
        except OSError as error:
            self._sock.close()
            raise Unsupported(f"the system's message bus does not answer at {path}: {error.strerror or error}") from None

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _log_in(self) -> None:
        self._sock.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            byte = self._sock.recv(1)
            if not byte:
                raise ConnectionError("it closed the connection")
            answer += byte
        if not answer.startswith(b"OK "):
            raise ConnectionError(f"it does not let us in: {answer.decode(errors='replace').strip()}")
        self._sock.sendall(b"BEGIN\r\n")

    def call(self, destination: str, path: str, interface: str, member: str, signature: str = "", *values: Any) -> list[Any]:
        """The values that the method returned; BusError if it refused."""
        self._serial += 1
        fields = [
            (_PATH, ("o", path)), (_INTERFACE, ("s", interface)), (_MEMBER, ("s", member)), (_DESTINATION, ("s", destination)),
        ]  # fmt: skip
        if signature:
            fields.append((_SIGNATURE, ("g", signature)))
        body = bytearray()
        for kind, value in zip(split(signature), values):
            pack(body, kind, value)
        head = bytearray(struct.pack("<cBBBII", b"l", _CALL, 0, 1, len(body), self._serial))
        pack(head, "a(yv)", fields)
        _pad(head, 8)
        self._sock.sendall(bytes(head + body))
        return self._answer(self._serial)

    def _answer(self, serial: int) -> list[Any]:
        while True:
            message = self._receive()
            if message.kind == _SIGNAL:
                self._signals.append(message)
            elif message.fields.get(_REPLY_SERIAL) == serial:
                if message.kind == _ERROR:
                    name = str(message.fields.get(_ERROR_NAME))
                    raise BusError(name, str(message.body[0]) if message.body else name)
                return message.body

    def signal(self, member: str) -> list[Any]:
        """The values of the next signal of that name, those included that came while a call was answered."""
        while True:
            message = self._signals.pop(0) if self._signals else self._receive()
            if message.kind == _SIGNAL and message.fields.get(_MEMBER) == member:
                return message.body

    def _receive(self) -> Message:
        start = self._exactly(16)
        _, kind, _, _, length, _, fields_length = struct.unpack("<cBBBIII", start)
        if start[:1] != b"l" or max(length, fields_length) > MAX_MESSAGE:
            raise SkiffError("the system's message bus sent what is no message")
        rest = self._exactly(-(-fields_length // 8) * 8 + length)
        head = Reader(start + rest, 12)
        fields = {code: value for code, (_, value) in head.read("a(yv)")}
        head.align(8)
        return Message(kind, fields, [head.read(each) for each in split(fields.get(_SIGNATURE, ""))])

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            try:
                data = self._sock.recv(size - len(found))
            except socket.timeout:
                raise SkiffError(f"the system's message bus has said nothing for {TIMEOUT:.0f} s: is systemd busy?") from None
            if not data:
                raise SkiffError("the system's message bus closed the connection")
            found += data
        return found


def split(signature: str) -> list[str]:
    """A signature's complete types: `sa(sv)u` is s, a(sv), u."""
    found = []
    while signature:
        end = _end(signature)
        found.append(signature[:end])
        signature = signature[end:]
    return found


def _end(signature: str) -> int:
    if signature[0] == "a":
        return 1 + _end(signature[1:])
    if signature[0] not in "({":
        return 1
    depth = 0
    for index, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0:
            return index + 1
    raise ValueError(f"{signature!r} is no signature")


def _pad(buffer: bytearray, alignment: int) -> None:
    buffer.extend(bytes(-len(buffer) % alignment))


def _alignment(kind: str) -> int:
    return struct.calcsize(_FIXED[kind]) if kind in _FIXED else _ALIGNMENT.get(kind[0], 1)


def pack(buffer: bytearray, kind: str, value: Any) -> None:
    """Append a value of one complete type; a variant is given as (signature, value)."""
    _pad(buffer, _alignment(kind))
    if kind in _FIXED:
        buffer.extend(struct.pack("<" + _FIXED[kind], value))
    elif kind in ("s", "o", "g"):
        data = value.encode()
        buffer.extend(struct.pack("<B" if kind == "g" else "<I", len(data)) + data + b"\0")
    elif kind == "v":
        pack(buffer, "g", value[0])
        pack(buffer, value[0], value[1])
    elif kind[0] == "a":
        place = len(buffer)
        buffer.extend(bytes(4))
        _pad(buffer, _alignment(kind[1:]))
        start = len(buffer)
        for item in value:
            pack(buffer, kind[1:], item)
        buffer[place : place + 4] = struct.pack("<I", len(buffer) - start)
    else:
        for each, item in zip(split(kind[1:-1]), value):
            pack(buffer, each, item)


class Reader:
    """Reads values from a message; positions count from the message's start."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data, self.place = data, place

    def align(self, alignment: int) -> None:
        """Skip the padding."""
        self.place += -self.place % alignment

    def _fixed(self, code: str) -> Any:
        [value] = struct.unpack_from("<" + code, self.data, self.place)
        self.place += struct.calcsize(code)
        return value

    def read(self, kind: str) -> Any:
        """The next value; a variant as (signature, value)."""
        self.align(_alignment(kind))
        if kind in _FIXED:
            return self._fixed(_FIXED[kind])
        if kind in ("s", "o", "g"):
            length = self._fixed("B" if kind == "g" else "I")
            self.place += length + 1
            return self.data[self.place - length - 1 : self.place - 1].decode(errors="replace")
        if kind == "v":
            signature = self.read("g")
            return signature, self.read(signature)
        if kind[0] == "a":
            length = self._fixed("I")
            self.align(_alignment(kind[1:]))
            end = self.place + length
            found = []
            while self.place < end:
                found.append(self.read(kind[1:]))
            return found
        return tuple(self.read(each) for each in split(kind[1:-1]))
