"""Killed at any moment of a run, the next one converges, and no half-written file was ever to be seen."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from fleet.resources import Archive, Command, Directory, File, JsonFile, Link
from tests.unit.agent.driver import Exchange, Message, Session
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, handler, wire

OLD, NEW = "old\n" * 2000, "new\n" * 2000
FILES = {f"pkg/m{number}.py": b"x = %d\n" % number for number in range(40)}


def resources(root: Path) -> List[Dict[str, Any]]:
    return [
        wire(Directory(str(root / "d"))),
        wire(File(str(root / "x"), content(NEW))),
        wire(JsonFile(str(root / "j"), {"new": True})),
        wire(Archive(str(root / "a"), tarball(FILES))),
        wire(Link(str(root / "l"), "a")),
        handler(Command("h", ("sh", "-c", f"echo ran >> {root}/h")), [f"link:{root}/l"]),
    ]


def prepare(session: Session, root: Path) -> None:
    session.apply([
        wire(File(str(root / "x"), content(OLD))),
        wire(JsonFile(str(root / "j"), {"old": True})),
        wire(Archive(str(root / "a"), tarball({"old": b"1"}))),
    ])  # fmt: skip


def assert_whole(root: Path) -> None:
    """What a reader may see at any time: the old one or the new one."""
    assert (root / "x").read_text() in (OLD, NEW)
    assert "true" in (root / "j").read_text()
    assert sorted(os.listdir(root / "a")) in (["old"], ["pkg"])


def kill_at(number: int) -> Callable[[Exchange, Message], None]:
    seen = []

    def on_message(exchange: Exchange, message: Message) -> None:
        seen.append(message["type"])
        if len(seen) == number:
            exchange.process.kill()

    return on_message


def converges(session: Session, root: Path, on_message: Callable[[Exchange, Message], None]) -> None:
    prepare(session, root)
    session.run("apply", resources(root), on_message=on_message)
    assert_whole(root)
    _, _, done = session.apply(resources(root))
    assert done["failed"] == 0
    assert sorted(os.listdir(root)) == ["a", "d", "h", "j", "l", "x"]
    assert set((root / "h").read_text().split()) == {"ran"}
    assert (root / "x").read_text() == NEW
    assert session.check(resources(root))["changes"] == []


@pytest.mark.parametrize("number", range(2, 15, 2))
def test_killed_after_a_message(session: Session, root: Path, number: int) -> None:
    converges(session, root, kill_at(number))


@pytest.mark.parametrize("number", [3, 6, 9])
def test_terminated_after_a_message(session: Session, root: Path, number: int) -> None:
    seen = []

    def on_message(exchange: Exchange, message: Message) -> None:
        seen.append(message)
        if len(seen) == number:
            exchange.process.send_signal(signal.SIGTERM)

    converges(session, root, on_message)


@pytest.mark.parametrize("at", [1, *range(3, 26, 4), 60, 101, 106, 111, 116])
def test_killed_before_a_write(session: Session, root: Path, at: int) -> None:
    prepare(session, root)
    session.trap = at
    session.run("apply", resources(root))
    session.trap = None
    assert_whole(root)
    _, _, done = session.apply(resources(root))
    assert done["failed"] == 0
    assert sorted(os.listdir(root)) == ["a", "d", "h", "j", "l", "x"]
    assert session.check(resources(root))["changes"] == []
