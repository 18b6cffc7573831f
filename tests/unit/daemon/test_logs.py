"""Reading json-file logs: tails, bounds, rotation, lines cut by a crash."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiff.engine import logs


def line(number: int, stream: str = "stdout") -> str:
    return json.dumps({"log": f"{number}\n", "stream": stream, "time": f"2026-01-01T00:00:{number:02d}.5Z"}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Ten lines over three files, the odd ones from stderr."""
    path = tmp_path / "c-json.log"
    for name, numbers in ((f"{path}.2", range(3)), (f"{path}.1", range(3, 7)), (str(path), range(7, 10))):
        Path(name).write_text("".join(line(number, "stderr" if number % 2 else "stdout") for number in numbers))
    return path


def numbers(path: Path, query: logs.Query) -> list[int]:
    return [int(text) for _, text in logs.history(str(path), query)]


def test_all_lines_come_in_order_with_their_stream(log: Path) -> None:
    assert numbers(log, logs.Query()) == list(range(10))
    assert [stream for stream, _ in logs.history(str(log), logs.Query())] == [1, 2] * 5


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (logs.Query(stdout=False), [1, 3, 5, 7, 9]),
        (logs.Query(tail=0), []),
        (logs.Query(tail=2), [8, 9]),
        (logs.Query(tail=5), [5, 6, 7, 8, 9]),
        (logs.Query(tail=100), list(range(10))),
        (logs.Query(tail=2, stderr=False), [6, 8]),
        (logs.Query(since=logs.epoch("2026-01-01T00:00:07Z")), [7, 8, 9]),
        (logs.Query(until=logs.epoch("2026-01-01T00:00:02Z")), [0, 1]),
    ],
)
def test_queries(log: Path, query: logs.Query, wanted: list[int]) -> None:
    assert numbers(log, query) == wanted


def test_timestamps_come_before_each_line(log: Path) -> None:
    assert next(logs.history(str(log), logs.Query(timestamps=True))) == (1, b"2026-01-01T00:00:00.5Z 0\n")


def test_a_line_cut_by_a_crash_is_left_out_of_all_but_spoils_nothing(log: Path) -> None:
    with log.open("a") as file:
        file.write('{"log":"cut')
    assert numbers(log, logs.Query()) == list(range(10))
    assert numbers(log, logs.Query(tail=1)) == [9]


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert list(logs.history(str(tmp_path / "none"), logs.Query())) == []


@given(st.lists(st.integers(0, 200_000), max_size=6), st.integers(0, 7))
def test_a_tail_is_the_end_of_the_whole_whatever_the_lengths(lengths: list[int], count: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        entries = [
            json.dumps({"log": "x" * length + "\n", "stream": "stdout", "time": "2026-01-01T00:00:00Z"}) for length in lengths
        ]
        path.write_text("".join(f"{entry}\n" for entry in entries))
        whole = list(logs.history(str(path), logs.Query()))
        assert list(logs.history(str(path), logs.Query(tail=count))) == (whole[-count:] if count else [])


def test_following_sees_what_is_appended_and_the_new_file_after_a_rotation(log: Path) -> None:
    async def main() -> list[int]:
        seen: list[int] = []
        ended = asyncio.Event()
        async for _, text in logs.follow(str(log), logs.Query(tail=1), ended.is_set):
            seen.append(int(text))
            if seen[-1] == 9:
                with log.open("a") as file:
                    file.write(line(10) + line(11)[:9])
            elif seen[-1] == 10:
                with log.open("a") as file:
                    file.write(line(11)[9:])
                log.rename(f"{log}.1")
                log.write_text(line(12))
            elif seen[-1] == 12:
                ended.set()
        return seen

    assert asyncio.run(asyncio.wait_for(main(), 20)) == [9, 10, 11, 12]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.123456789Z", 1.123456789),
        ("1970-01-01T01:00:00.5+01:00", 0.5),
        ("x", 0.0),
    ],
)
def test_times_of_any_fraction(time: str, seconds: float) -> None:
    assert logs.epoch(time) == pytest.approx(seconds)


def test_a_follower_loses_nothing_when_the_log_was_rotated_more_than_once(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    path.write_text("0\n")
    follower = logs.Follower(str(path))
    assert follower.lines() == [b"0"]
    with path.open("a") as file:
        file.write("1\n")
    for number in (2, 3, 4):
        rotate(path)
        path.write_text(f"{number}\n")
    assert follower.lines() == [b"1", b"2", b"3", b"4"]
    follower.close()


def test_a_follower_whose_file_was_rotated_away_reads_all_that_is_left(tmp_path: Path) -> None:
    path = tmp_path / "c-json.log"
    path.write_text("0\n")
    follower = logs.Follower(str(path))
    follower.lines()
    for number in (1, 2, 3):
        rotate(path, keep=1)
        path.write_text(f"{number}\n")
    assert follower.lines() == [b"2", b"3"]
    follower.close()


def rotate(path: Path, keep: int = 5) -> None:
    for number in range(keep - 1, 0, -1):
        older = Path(f"{path}.{number}")
        if older.exists():
            older.rename(f"{path}.{number + 1}")
    path.rename(f"{path}.1")
