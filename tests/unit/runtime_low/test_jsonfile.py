"""The json-file log: entries, cuts, encodings, rotation."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from skiff.shim.jsonfile import LINE_LIMIT, JsonFile


def entries(path: Path) -> list[tuple[str, str]]:
    return [(entry["stream"], entry["log"]) for entry in map(json.loads, path.read_text().splitlines())]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"one\ntwo\n"], ["one\n", "two\n"]),
        ([b"o", b"n", b"e\nt", b"wo"], ["one\n", "two"]),
        ([b"\n\n"], ["\n", "\n"]),
        ([b'"\\\t\x00\n'], ['"\\\t\x00\n']),
        (["ÿ☃\n".encode()], ["ÿ☃\n"]),
        ([b"\xff\xfe\n"], ["\ufffd\ufffd\n"]),
        ([b"x" * (LINE_LIMIT - 1) + b"\n"], ["x" * (LINE_LIMIT - 1) + "\n"]),
        ([b"x" * LINE_LIMIT + b"\n"], ["x" * LINE_LIMIT, "\n"]),
        ([b"x" * LINE_LIMIT, b"y\n"], ["x" * LINE_LIMIT, "y\n"]),
        ([], []),
    ],
)
def test_entries(tmp_path: Path, parts: list[bytes], expected: list[str]) -> None:
    log = JsonFile(str(tmp_path / "log"))
    for part in parts:
        log.write("stdout", part)
    log.flush("stdout")
    log.close()
    assert entries(tmp_path / "log") == [("stdout", line) for line in expected]


def test_streams_do_not_mix_within_a_line(tmp_path: Path) -> None:
    log = JsonFile(str(tmp_path / "log"))
    log.write("stdout", b"out")
    log.write("stderr", b"err\n")
    log.write("stdout", b"put\n")
    log.close()
    assert entries(tmp_path / "log") == [("stderr", "err\n"), ("stdout", "output\n")]


@pytest.mark.parametrize(("count", "names"), [(1, ["log"]), (2, ["log", "log.1"]), (3, ["log", "log.1", "log.2"])])
def test_rotation_keeps_so_many_files_and_the_newest_lines(tmp_path: Path, count: int, names: list[str]) -> None:
    log = JsonFile(str(tmp_path / "log"), 500, count)
    for number in range(50):
        log.write("stdout", b"%d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    kept = [int(line) for name in reversed(names) for _, line in entries(tmp_path / name)]
    assert kept == list(range(50 - len(kept), 50))


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = JsonFile(str(tmp_path / "log"))
        log.write("stdout", text)
        log.close()
    assert entries(tmp_path / "log") == [("stdout", "one\n"), ("stdout", "two\n")]


class Full:
    """A disk that takes so many bytes of the next write and then none."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, fd: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, self.room = min(self.room, len(data)), 0
        return WRITE(fd, data[:taken])


WRITE = os.write


@pytest.mark.parametrize("limit", [None, 1 << 20])
@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_loses_lines_and_tears_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None, room: int
) -> None:
    log = JsonFile(str(tmp_path / "log"), limit)
    log.write("stdout", b"before\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Full(room))
        log.write("stdout", b"lost\n")
    log.write("stdout", b"after\n")
    log.close()
    assert [line for _, line in entries(tmp_path / "log")] == ["before\n", "after\n"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_log_whose_directory_was_removed_harms_nothing(tmp_path: Path, count: int) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    log = JsonFile(str(directory / "log"), 100, count)
    log.write("stdout", b"one\n" * 10)
    shutil.rmtree(directory)
    log.write("stdout", b"two\n" * 10)
    directory.mkdir()
    log.write("stdout", b"three\n")
    log.close()
    assert entries(directory / "log") == [("stdout", "three\n")]


def test_newlines_alone_are_not_copied_over_and_over(tmp_path: Path) -> None:
    class Counted(bytes):
        slices = 0

        def __add__(self, other: Any) -> Counted:
            return Counted(bytes(self) + other)

        def __getitem__(self, key: Any) -> Any:
            part = bytes(self)[key]
            if isinstance(key, slice):
                Counted.slices += len(part)
                return Counted(part)
            return part

    log = JsonFile(str(tmp_path / "log"))
    log._pending["stdout"] = Counted()
    log.write("stdout", b"\n" * 4096)
    log.close()
    assert Counted.slices <= 2 * 4096
