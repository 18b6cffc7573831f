"""What is kept in mind of a program's answer holds only while every file it was drawn from is as it was."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest

from fleet.agent import memory, rpm
from fleet.agent.errors import AgentError
from fleet.agent.memory import Memory
from fleet.agent.state import State
from fleet.resources import Package
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import wire

LONG_AGO = 5.0


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "Packages").write_bytes(b"one")
    (tmp_path / "home").mkdir(0o700)
    return tmp_path / "db"


def learn(database: Path, agent: str = "a", begun: float = LONG_AGO) -> Memory:
    """A memory of an answer drawn from a database that was last written to long before."""
    found = Memory(State(str(database.parent / "home"), agent))
    later = time.time() + begun
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        found.learn("q", ["x"], [str(database), *map(str, database.iterdir())], later, {"answer": 1})
    found.keep()
    return found


def recalled(database: Path, agent: str = "a", basis: Any = ("x",)) -> Any:
    return Memory(State(str(database.parent / "home"), agent)).recall("q", list(basis))


def test_the_next_run_has_the_answer(database: Path) -> None:
    learn(database)
    assert recalled(database) == {"answer": 1}
    kept = database.parent / "home" / memory.FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    assert recalled(database, basis=("x", "y")) is None
    assert recalled(database, agent="b") is None


def same_size_and_time(database: Path) -> None:
    path = database / "Packages"
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_file_of_its_time(database: Path) -> None:
    before = (database / "Packages").stat()
    (database / "new").write_bytes(b"two")
    os.utime(database / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.rename(database / "new", database / "Packages")


def another_directory(database: Path) -> None:
    database.rename(database.with_name("old"))
    database.mkdir()
    os.link(database.with_name("old") / "Packages", database / "Packages")


CHANGES: List[Callable[[Path], object]] = [
    lambda database: (database / "Packages").write_bytes(b"longer"),
    lambda database: (database / "Packages").unlink(),
    lambda database: (database / "Packages-wal").write_bytes(b""),
    same_size_and_time,
    another_file_of_its_time,
    another_directory,
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_written_counts(database: Path, change: Callable[[Path], object]) -> None:
    learn(database)
    time.sleep(0.02)  # more than a step of the clock by which files are dated: a real answer is two seconds old
    change(database)
    assert recalled(database) is None


def test_an_empty_file_counts_once_it_has_something(database: Path) -> None:
    (database / "Packages-wal").touch()
    learn(database)
    time.sleep(0.02)
    os.chown(database / "Packages-wal", os.getuid(), os.getgid())  # as SQLite does at every reading
    assert recalled(database) == {"answer": 1}
    (database / "Packages-wal").write_bytes(b"one more")
    assert recalled(database) is None


@pytest.mark.parametrize("begun", [0.0, 1.9, -3600.0])
def test_what_was_written_a_moment_ago_is_not_kept(database: Path, begun: float) -> None:
    learn(database, begun=begun)
    assert recalled(database) is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"agent": "a", "answers": []}', b'{"agent": "a", "answers": {"q": 1}}',
     b'{"agent": "a", "answers": {"q": {"basis": ["x"], "answer": 2}}}', b"\xff\xfe"],
)  # fmt: skip
def test_a_damaged_file_is_none(database: Path, damage: bytes) -> None:
    learn(database)
    (database.parent / "home" / memory.FILE).write_bytes(damage)
    assert recalled(database) is None


def test_a_directory_that_others_may_change_is_not_believed(database: Path) -> None:
    learn(database)
    (database.parent / "home").chmod(0o770)
    assert recalled(database) is None


def test_a_full_disk_is_no_failure(database: Path) -> None:
    (database.parent / "home" / memory.FILE).mkdir()
    learn(database)
    assert recalled(database) is None


def asked(session: Session, host: FakeHost, mode: str) -> List[str]:
    """The programs that a run asks."""
    host.calls()
    session.run(mode, [wire(Package(("one", "two")))])
    return [call[0] for call in host.calls()]


def test_a_database_that_nobody_touched_is_not_asked_again(session: Session, host: FakeHost) -> None:
    host.update(installed=["one", "two"])
    time.sleep(memory.SETTLED + 0.2)
    assert asked(session, host, "apply") == ["rpm"]
    assert asked(session, host, "apply") == []
    assert asked(session, host, "check") == []
    kept = json.loads((session.home / memory.FILE).read_text())
    assert str(host.database) in kept["answers"][rpm.QUESTION]["stamps"]
    host.update(installed=["one"], available={"two": []}, cached=True)
    plan = session.run("check", [wire(Package(("one", "two")))])
    assert [change["summary"] for change in plan.one("plan")["changes"]] == ["install two"]


def test_a_question_about_paths_is_always_asked(session: Session, host: FakeHost, tmp_path: Path) -> None:
    host.update(installed=["/usr/bin/one"])
    session.run("apply", [wire(Package(("/usr/bin/one",)))])
    time.sleep(memory.SETTLED + 0.2)
    session.run("apply", [wire(Package(("/usr/bin/one",)))])
    assert not (session.home / memory.FILE).exists()


def test_an_rpm_that_does_not_tell_of_every_name_is_not_believed(
    host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host.bin / "rpm").write_text("#!/bin/sh\necho /var/lib/rpm\n")
    monkeypatch.setenv("PATH", host.path)
    with pytest.raises(AgentError, match="cannot be read"):
        rpm.Installed(["one"], False, Memory(State(str(tmp_path / "home")))).provided("one")
