"""systemd's first process, asked on its own socket as systemctl asks it: no program has to be started for a question.

It is D-Bus, and no more of it than a few questions take. Whoever asks has to start systemctl where this raises.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Dict, List, Optional, Sequence, Tuple

    Answer = Tuple[bytes, int, bytes]  # a message, where its body begins, and its signature
else:
    try:
        import _socket as socket  # the module socket makes enumerations of all constants, which takes long
    except ImportError:  # another implementation of Python
        import socket

SOCKET = "/run/systemd/private"  # root's: nobody else is let in
PATIENCE = 25.0  # seconds without an answer: what systemctl has too
UNITS = "/org/freedesktop/systemd1/unit/"
UNIT = "org.freedesktop.systemd1.Unit"
SUFFIXES = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device")
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
LARGEST = 1 << 20  # bytes of one answer
CALL, RETURN = 1, 2
REPLY_SERIAL, SIGNATURE = 5, 8
# By type, the bytes that a value begins at a multiple of: the D-Bus specification, "Summary of D-Bus marshalling".
ALIGNED = {b"y": 1, b"g": 1, b"v": 1, b"n": 2, b"q": 2, b"b": 4, b"i": 4, b"u": 4, b"h": 4, b"s": 4, b"o": 4, b"a": 4}
ALIGNED.update({b"x": 8, b"t": 8, b"d": 8, b"(": 8, b"{": 8})


class Manager:
    """A connection. Use it in a `with` statement."""

    def __init__(self, path: str) -> None:
        """Connect.

        Raises:
            OSError: there is no systemd, or it does not let us in.
        """
        self._calls = 0
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(PATIENCE)
            self._socket.connect(path)
            user = str(os.geteuid()).encode("ascii").hex().encode("ascii")
            self._socket.sendall(b"\0AUTH EXTERNAL " + user + b"\r\nBEGIN\r\n")
            line, _, self._received = self._until(b"\r\n").partition(b"\r\n")
            if not line.startswith(b"OK"):
                raise OSError("systemd does not let us in")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def properties(self, units: "Sequence[str]", names: "Sequence[str]") -> "List[Dict[str, str]]":
        """Properties of each unit, which systemd loads if it has not yet, in the words that `systemctl show` has for them.

        Raises:
            OSError: the connection failed.
            LookupError, ValueError: systemd answers otherwise than expected.
        """
        # One call a unit: one that nothing holds is loaded for each, and dropped after it.
        place = "org.freedesktop.DBus.Properties", "GetAll", "s", (UNIT,)
        found = []
        for answer in self._ask([(UNITS + escaped(unit), *place) for unit in units]):
            if answer is None:
                raise ValueError("systemd does not tell of a unit")
            found.append(_chosen(*answer, names))
        return found

    def on_disk(self, units: "Sequence[str]") -> "List[Optional[str]]":
        """How each unit is enabled by what lies on the disk now; None where systemd does not tell.

        Raises:
            LookupError, OSError, ValueError: as `properties`.
        """
        place = "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "GetUnitFileState", "s"
        answers = self._ask([(*place, (unit,)) for unit in units])
        return [None if answer is None else _value(*answer) for answer in answers]

    def _ask(self, calls: "Sequence[Tuple[str, str, str, str, Sequence[str]]]") -> "List[Optional[Answer]]":
        """The answers to all calls, which are sent at once; None for an error."""
        first = self._calls + 1
        self._calls += len(calls)
        self._socket.sendall(b"".join(message(first + number, *call) for number, call in enumerate(calls)))
        answers: "Dict[int, Optional[Answer]]" = {}
        while len(answers) < len(calls):
            serial, answer = self._answer()
            if first <= serial <= self._calls:
                answers[serial] = answer
        return [answers[serial] for serial in sorted(answers)]

    def _answer(self) -> "Tuple[int, Optional[Answer]]":
        """The next message: which call it answers, or 0, and what it says."""
        self._receive(16)
        head = self._received
        if head[:1] != b"l":
            raise ValueError("systemd speaks another byte order")
        fields, body = _number(head, 12), _number(head, 4)
        begin = 16 + fields + -fields % 8
        if begin + body > LARGEST:
            raise ValueError("systemd's answer is too long")
        self._receive(begin + body)
        whole, self._received = self._received[: begin + body], self._received[begin + body :]
        serial, signature = _fields(whole, 16, 16 + fields)
        return serial, (whole, begin, signature) if whole[1] == RETURN else None

    def _receive(self, size: int) -> None:
        while len(self._received) < size:
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise OSError("systemd hung up")
            self._received += chunk

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive(len(self._received) + 1)
        return self._received


def askable(name: str) -> bool:
    """Whether a unit is named in full, so that systemctl would make no other name of it."""
    return name.endswith(SUFFIXES) and not name.startswith("-") and PLAIN.union(":_.@-").issuperset(name) and "@." not in name


def escaped(name: str) -> str:
    """A unit's name as the end of an object's path."""
    found = [
        chr(byte) if chr(byte) in PLAIN and (number or not chr(byte).isdigit()) else "_{:02x}".format(byte)
        for number, byte in enumerate(name.encode("utf-8"))
    ]
    return "".join(found)


def message(serial: int, path: str, interface: str, member: str, signature: str, words: "Sequence[str]") -> bytes:
    """A call with strings as its arguments, as the D-Bus specification has it, in the little byte order."""
    body = b""
    for word in words:
        body += bytes(-len(body) % 4) + _text(word)
    fields = b""
    for code, kind, text in ((1, b"o", path), (2, b"s", interface), (3, b"s", member)):
        fields += bytes(-len(fields) % 8) + bytes([code, 1]) + kind + b"\0" + _text(text)
    fields += bytes(-len(fields) % 8) + bytes([SIGNATURE, 1]) + b"g\0" + bytes([len(signature)]) + signature.encode("ascii") + b"\0"
    head = b"l" + bytes([CALL, 0, 1]) + _four(len(body)) + _four(serial) + _four(len(fields))
    return head + fields + bytes(-len(fields) % 8) + body


def _fields(whole: bytes, at: int, end: int) -> "Tuple[int, bytes]":
    """What a header tells: the call that is answered, and the answer's signature."""
    serial, signature = 0, b""
    while at < end:
        at += -at % 8
        code, kind = whole[at], whole[at + 2 : at + 3]
        at += 4
        if kind == b"u":
            serial, at = (_number(whole, at) if code == REPLY_SERIAL else serial), at + 4
        elif kind == b"g":
            signature, at = whole[at + 1 : at + 1 + whole[at]], at + 2 + whole[at]
        elif kind in (b"s", b"o"):
            at += 4 + _number(whole, at) + 1
        else:
            raise ValueError("systemd's answer has a field of another type")
    return serial, signature


def _chosen(whole: bytes, at: int, signature: bytes, names: "Sequence[str]") -> "Dict[str, str]":
    """Some of the properties that an answer lists."""
    if signature != b"a{sv}":
        raise ValueError("systemd's answer has a value of another type")
    end = at + 8 + _number(whole, at)  # four bytes of length, four of padding
    at, found = at + 8, {}
    while at < end:
        at += -at % 8
        size = _number(whole, at)
        name, at = whole[at + 4 : at + 4 + size].decode("utf-8"), at + 4 + size + 1
        if name in names:
            found[name] = _value(whole, at, b"v")
        at, _ = _after(whole, at, b"v", 0)
    if len(found) < len(names):
        raise ValueError("systemd does not tell all of a unit")
    return found


def _after(whole: bytes, at: int, signature: bytes, index: int) -> "Tuple[int, int]":
    """Past the value of the type that begins at an index of a signature, and past that type."""
    kind = signature[index : index + 1]
    at += -at % ALIGNED[kind]
    if kind == b"a":
        end = _type_end(signature, index + 1)
        size, at = _number(whole, at), at + 4
        return at + -at % ALIGNED[signature[index + 1 : index + 2]] + size, end
    if kind in (b"(", b"{"):
        index += 1
        while signature[index : index + 1] not in (b")", b"}"):
            at, index = _after(whole, at, signature, index)
        return at, index + 1
    if kind == b"v":
        size = whole[at]
        return _after(whole, at + size + 2, whole[at + 1 : at + 1 + size], 0)[0], index + 1
    if kind == b"g":
        return at + 2 + whole[at], index + 1
    if kind in (b"s", b"o"):
        return at + 4 + _number(whole, at) + 1, index + 1
    return at + ALIGNED[kind], index + 1  # a number is as long as it is aligned


def _type_end(signature: bytes, index: int) -> int:
    depth = 0
    while True:
        kind, index = signature[index : index + 1], index + 1
        depth += kind in (b"(", b"{")
        depth -= kind in (b")", b"}")
        if not depth and kind != b"a":
            return index


def _value(whole: bytes, at: int, signature: bytes) -> str:
    """An answer's one value: a text, or a truth in systemctl's words."""
    if signature == b"v":
        size = whole[at]
        signature, at = whole[at + 1 : at + 1 + size], at + size + 2
    at += -at % 4
    if signature == b"s":
        size = _number(whole, at)
        if at + 4 + size > len(whole):
            raise ValueError("systemd's answer is cut short")
        return whole[at + 4 : at + 4 + size].decode("utf-8")
    if signature == b"b":
        return "yes" if _number(whole, at) else "no"
    raise ValueError("systemd's answer has a value of another type")


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return _four(len(data)) + data + b"\0"


def _four(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
