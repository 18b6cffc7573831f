"""A full or read-only file system: nothing half-written, the cause named, and the next run converges."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from fleet.content import Content
from fleet.resources import Archive, Command, File
from tests.root import tmpfs
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, wire


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path, path=FakeHost(tmp_path).path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    with tmpfs.mounted(tmp_path / "small", "size=1m") as folder:
        yield folder


def test_full_disk_keeps_the_old_file(session: Session, small: Path) -> None:
    (small / "x").write_text("old\n")
    _, results, _ = session.apply([wire(File(str(small / "x"), Content.of(b"x" * (2 << 20))))])
    error = results[0]["error"]
    assert error["brief"] == f"no space left to write {small}/x"
    assert f"{small} has " in error["details"]
    assert os.listdir(small) == ["x"]
    assert (small / "x").read_text() == "old\n"
    session.apply([wire(File(str(small / "x"), content("fits\n")))])
    assert (small / "x").read_text() == "fits\n"


def test_full_disk_under_an_archive_leaves_nothing(session: Session, small: Path) -> None:
    _, results, _ = session.apply([wire(Archive(str(small / "a"), tarball({"big": os.urandom(2 << 20)})))])
    assert results[0]["error"]["brief"] == f"no space left to write {small}/a"
    assert os.listdir(small) == []


def test_full_disk_under_the_agents_own_directory(session: Session, small: Path, tmp_path: Path) -> None:
    session.home = small / "home"
    (small / "filler").write_bytes(b"x" * (1 << 20))
    fatal = session.run("apply", [wire(File(str(tmp_path / "y"), content("y")))]).one("fatal")
    assert fatal["error"]["brief"].startswith("no space left to write")
    assert not (tmp_path / "y").exists()
    (small / "filler").unlink()
    session.apply([wire(File(str(tmp_path / "y"), content("y")))])
    assert (tmp_path / "y").exists()


def test_endless_output_does_not_fill_the_disk(session: Session, tmp_path: Path) -> None:
    """160 MB said where 48 fit: the end is told."""
    folder = tmp_path / "run"
    folder.mkdir()
    say = "echo first; for i in $(seq 40); do yes | head -c 4000000; sleep 0.05; done; echo last; exit 3"
    session.within = ("unshare", "-m", "sh", "-e", "-c", 'mount -t tmpfs -o size=48m tmpfs /run; exec "$@"', "sh")
    _, results, _ = session.apply([wire(Command("talker", ("sh", "-c", say)))])
    details = results[0]["error"]["details"]
    assert details.endswith("y\nlast")
    assert "No space" not in details


def test_read_only(session: Session, small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    _, results, _ = session.apply([wire(File(str(small / "x"), content("x")))])
    assert results[0]["error"]["brief"] == f"{small}/x is on a read-only file system"
