"""The json-file log: entries, cuts, encodings, rotation."""

from __future__ import annotations

import json
from pathlib import Path

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
