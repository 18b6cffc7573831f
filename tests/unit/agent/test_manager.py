"""systemd's first process asked by D-Bus: what it is told, what is made of its answers, and that nothing odd is taken for one."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

import pytest

from fleet.agent import manager, process, systemd
from tests.unit.agent.fakes import FakeHost

STATES = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "FragmentPath": "/x", "UnitFileState": "disabled"}
Answer = Callable[[int, str, Tuple[str, ...]], bytes]


def text(word: str) -> bytes:
    return struct.pack("<I", len(word)) + word.encode() + b"\0"


def reply(serial: int, signature: str, body: bytes, kind: int = 2, order: bytes = b"l") -> bytes:
    """A message as systemd 252 writes one: with a destination, and its fields in its order."""
    fields = struct.pack("<BBBBI", 5, 1, ord("u"), 0, serial)
    fields += b"\x08\x01g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
    fields += bytes(-len(fields) % 8) + b"\x06\x01s\0" + text(":1.7")
    return order + bytes([kind, 1, 1]) + struct.pack("<III", len(body), 1, len(fields)) + fields + bytes(-len(fields) % 8) + body


def as_systemd(serial: int, member: str, words: Tuple[str, ...]) -> bytes:
    if member == "GetUnitFileState":
        return reply(serial, "s", text("enabled")) if words[0] == "a.service" else reply(serial, "s", text("no file"), kind=3)
    return listed(serial, [(name, "s", text(word)) for name, word in STATES.items()])


# One of every type that a unit's properties have, with bodies that begin at a multiple of eight.
OTHERS = [
    ("NeedDaemonReload", "b", struct.pack("<I", 0)),
    ("Job", "(uo)", struct.pack("<I", 0) + text("/")),
    ("Names", "as", struct.pack("<I", 14) + text("a") + bytes(2) + text("b")),
    ("Conditions", "a(sbbsi)", bytes(8)),
    (
        "Asserts",
        "a(sbbsi)",
        struct.pack("<II", 28, 0) + text("x") + bytes(2) + struct.pack("<II", 1, 0) + text("y") + bytes(2) + bytes(4),
    ),
    ("StateChangeTimestamp", "t", struct.pack("<Q", 7)),
    ("InvocationID", "ay", struct.pack("<I", 3) + b"abc"),
    ("Nested", "a{sv}", struct.pack("<II", 15, 0) + text("k") + b"\x01g\0" + b"\x01s\0" + bytes(3)),
    ("Deep", "a(aai(ii)v)", bytes(8)),
    ("Pair", "(aayu)", struct.pack("<II", 8, 4) + b"abcd" + struct.pack("<I", 5)),
    ("Type", "g", b"\x02as\0"),
    ("Small", "y", b"\1"),
]


def listed(serial: int, properties: List[Tuple[str, str, bytes]]) -> bytes:
    """Properties as GetAll gives them."""
    body = b""
    for name, kind, value in [*OTHERS[:5], *properties, *OTHERS[5:]]:
        body += bytes(-len(body) % 8) + text(name)
        body += bytes([len(kind)]) + kind.encode() + b"\0"
        aligned = 4 if kind in ("s", "b", "as", "ay") else 1 if kind in ("g", "y") else 8
        if kind[0] == "a" and kind[1] in "({":  # the length is aligned to four, what it counts to eight
            body += bytes(-len(body) % 4)
            body += value[:4] + (bytes(-(len(body) + 4) % 8) + value[8:])
            continue
        body += bytes(-len(body) % aligned) + value
    return reply(serial, "a{sv}", struct.pack("<II", len(body), 0) + body)


class First:
    """The socket of a first process, which answers each call as `answer` says."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.answer: Answer = as_systemd
        self.welcome = b"OK 1234567890abcdef\r\n"
        self.calls: List[Tuple[str, ...]] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._listening.shutdown(socket.SHUT_RDWR)  # else it would go on to accept for whoever has the descriptor next
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            # Whoever has heard enough hangs up.
            with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as stream:
                assert stream.readline().startswith(b"\0AUTH EXTERNAL 3")
                assert stream.readline() == b"BEGIN\r\n"
                connection.sendall(self.welcome)
                while call := self._call(stream.read(16), stream.read):
                    connection.sendall(self.answer(*call))

    def _call(self, head: bytes, read: Callable[[int], bytes]) -> Optional[Tuple[int, str, Tuple[str, ...]]]:
        if len(head) < 16:
            return None
        body_size, serial, size = struct.unpack_from("<III", head, 4)
        fields, body = read(size + -size % 8), read(body_size)
        found = {}
        at = 0
        while at < size:
            at += -at % 8
            code, at = fields[at], at + 4
            width, skip = (fields[at], 1) if code == 8 else (struct.unpack_from("<I", fields, at)[0], 4)
            found[code] = fields[at + skip : at + skip + width].decode()
            at += skip + width + 1
        words, at = [], 0
        for _ in found[8]:
            at += -at % 4
            width = struct.unpack_from("<I", body, at)[0]
            words.append(body[at + 4 : at + 4 + width].decode())
            at += 4 + width + 1
        self.calls.append((found[1], found[3], *words))
        return serial, found[3], tuple(words)


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[First]:
    served = First(tmp_path / "private")
    monkeypatch.setattr(manager, "SOCKET", served.path)
    monkeypatch.setattr(systemd, "OWN", (process.which("systemctl") or "",))
    yield served
    served.close()


@pytest.fixture(autouse=True)
def _own_systemctl(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", host.path)


def test_units_are_told_and_how_they_are_enabled_is_the_disks(first: First, host: FakeHost) -> None:
    units = systemd.Units(["a.service", "b@1.timer"])
    assert units.properties("a.service") == {**STATES, "NeedDaemonReload": "no", "UnitFileState": "enabled"}
    assert units.properties("b@1.timer")["UnitFileState"] == "disabled"  # an error: what systemd remembers
    assert host.calls() == []
    assert ("/org/freedesktop/systemd1/unit/b_401_2etimer", "GetAll", "org.freedesktop.systemd1.Unit") in first.calls
    assert ("/org/freedesktop/systemd1", "GetUnitFileState", "b@1.timer") in first.calls


@pytest.mark.parametrize(
    "answer",
    [
        lambda serial, member, words: b"",
        lambda serial, member, words: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda serial, member, words: reply(serial, "s", text("gone"), kind=3),
        lambda serial, member, words: reply(serial, "v", b"\x02as\0" + bytes(4)),
        lambda serial, member, words: reply(serial, "v", b"\x01s\0" + bytes(1) + text("x"), order=b"B"),
        lambda serial, member, words: b"l\2\0\1" + struct.pack("<III", 1 << 30, 1, 8) + bytes(64),
        lambda serial, member, words: reply(serial, "a{sv}", struct.pack("<II", 9, 0) + b"\xff\xff\0\0" + bytes(5)),
        lambda serial, member, words: reply(serial, "a{sv}", struct.pack("<II", 64, 0) + text("LoadState") + b"\1?\0" + bytes(64)),
        lambda serial, member, words: reply(serial, "a{sv}", struct.pack("<II", 64, 0) + text("X") + b"\1(\0" + bytes(64)),
        lambda serial, member, words: listed(serial, [("LoadState", "s", text("loaded"))]),
    ],
    ids=[
        *("nothing", "no D-Bus", "an error", "another type", "another byte order", "too long", "cut short"),
        *("an unknown type", "a type without an end", "not all"),
    ],
)
def test_systemctl_is_asked_where_the_answer_is_none(
    first: First, host: FakeHost, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "PATIENCE", 0.3)
    host.unit("a.service", active="failed")
    first.answer = answer
    assert systemd.Units(["a.service"]).properties("a.service")["ActiveState"] == "failed"
    assert systemd.answer(("systemctl", "is-active", "a.service")) is None


def test_systemctl_is_asked_where_nobody_is_let_in(first: First, host: FakeHost) -> None:
    first.welcome = b"REJECTED EXTERNAL\r\n"
    host.unit("a.service", active="active")
    assert systemd.Units(["a.service"]).properties("a.service")["ActiveState"] == "active"
    first.close()
    Path(first.path).unlink()
    assert systemd.Units(["a.service"]).properties("a.service")["ActiveState"] == "active"
    assert [call[:2] for call in host.calls()] == [["systemctl", "show"], ["systemctl", "is-enabled"]] * 2


def test_another_systemctl_is_asked_itself(first: First, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "OWN", ("/usr/bin/systemctl",))
    host.unit("a.service", active="active")
    assert systemd.Units(["a.service"]).properties("a.service")["ActiveState"] == "active"
    assert first.calls == []


def test_a_probe_is_answered_in_systemctls_words(first: First) -> None:
    done = systemd.answer(("systemctl", "is-active", "a.service"))
    assert done is not None
    assert (done.status, done.stdout, done.stderr) == (0, "active\n", "")
    shown = systemd.answer(("systemctl", "show", "--property=UnitFileState,ActiveState,LoadState", "a.service"))
    assert shown is not None
    assert shown.stdout == "LoadState=loaded\nActiveState=active\nUnitFileState=disabled\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("systemctl", "is-active", "a"),
        ("systemctl", "is-active", "a*.service"),
        ("systemctl", "is-active", "-.mount"),
        ("systemctl", "is-active", "a@.service"),
        ("systemctl", "is-active", "a.service", "b.service"),
        ("systemctl", "is-active", "--quiet", "a.service"),
        ("systemctl", "show", "--property=MainPID", "a.service"),
        ("systemctl", "show", "a.service"),
        ("/opt/systemctl", "is-active", "a.service"),
    ],
)
def test_what_else_is_asked_goes_to_systemctl(first: First, argv: Tuple[str, ...]) -> None:
    assert systemd.answer(argv) is None
    assert first.calls == []


def test_no_is_said_by_systemctl_itself(first: First, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATES, "ActiveState", "failed")
    assert systemd.answer(("systemctl", "is-active", "a.service")) is None
