from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from fleet import events, record_files
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.record import Record


def written(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_record_holds_every_event_and_is_the_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "skiff" / "runs"
    record = Record("provision", directory, "ann@desk pid 7")
    record.begin("run-1", ["h1"])
    record.hear(Event("h1", "begin", {"id": "a", "role": "r"}))
    record.end([HostOutcome("h1", state=events.CHANGED)], False)
    lines = written(directory / "run-1.jsonl")
    assert [line["kind"] for line in lines] == ["begin", "begin", "end"]
    assert lines[0]["who"] == "ann@desk pid 7"
    assert lines[2]["hosts"]["h1"]["state"] == "changed"
    assert json.loads((directory / "last.json").read_text())["run"] == "run-1"
    assert stat.S_IMODE((directory / "run-1.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((directory / "last.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in directory.iterdir()) == ["last.json", "run-1.jsonl"]


def test_a_record_that_cannot_be_begun_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"the run record cannot be written to .*\n?set XDG_STATE_HOME"):
        Record("plan", tmp_path / "file" / "runs").begin("run-3", [])


def test_a_full_disk_ends_the_record_and_not_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run-4.jsonl").symlink_to("/dev/full")
    record = Record("plan", tmp_path)
    record.begin("run-4", [])
    record.hear(Event("h1", "begin", {}))
    record.end([], False)
    assert capsys.readouterr().err.count("the run record ends here: No space left on device") == 1


def test_a_summary_that_cannot_be_replaced_ends_no_run_and_leaves_nothing_aside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "last.json").mkdir()
    record = Record("plan", tmp_path)
    record.begin("run-5", [])
    record.end([], False)
    assert "the run record ends here: Is a directory" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.json", "run-5.jsonl"]


def test_a_record_follows_xdg_state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record("plan")
    record.begin("run-2", [])
    record.end([], False)
    assert (tmp_path / "skiff" / "runs" / "run-2.jsonl").exists()


def test_a_directory_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    record = Record("plan", tmp_path)
    record.begin("run-6", [])
    record.end([], False)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_no_host_writes_in_the_name_of_another_or_ends_the_run(tmp_path: Path) -> None:
    record = Record("plan", tmp_path)
    record.begin("run-7", ["h1", "h2"])
    record.hear(Event("h1", "result", {"kind": "end", "host": "h2", "at": 0, "id": "a"}, at=5.0))
    record.end([], False)
    line = written(tmp_path / "run-7.jsonl")[1]
    assert (line["kind"], line["host"], line["at"]) == ("result", "h1", 5.0)


def test_what_is_no_text_is_recorded_all_the_same(tmp_path: Path) -> None:
    record = Record("plan", tmp_path)
    record.begin("run-8", ["h1"])
    record.hear(Event("h1", "result", {"summary": "half a pair: \ud800"}))
    record.end([], False)
    assert written(tmp_path / "run-8.jsonl")[1]["summary"] == "half a pair: \ud800"


def test_results_and_checks_are_recorded_once(tmp_path: Path) -> None:
    record = Record("plan", tmp_path)
    record.begin("run-9", ["h1"])
    record.hear(Event("h1", "finished", HostOutcome("h1", results=[{"id": "a"}]).as_json()))
    record.end([], False)
    line = written(tmp_path / "run-9.jsonl")[1]
    assert line["state"] == "ok"
    assert not {"results", "checks"} & set(line)


def old_records(directory: Path, count: int, size: int = 10) -> None:
    for number in range(count):
        (directory / f"2026010{number}-000000-aaaaaa.jsonl").write_bytes(b"x" * size)


def names(directory: Path) -> List[str]:
    return [path.name[:8] for path in record_files.runs(directory)]


@pytest.mark.parametrize(
    ("prune", "left"),
    [
        (lambda directory: record_files.prune(directory, most=2), ["20260104", "20260103"]),
        (lambda directory: record_files.prune(directory, most_bytes=35), ["20260104", "20260103", "20260102"]),
        (lambda directory: record_files.prune(directory, most_bytes=1), ["20260104"]),
    ],
)
def test_the_oldest_records_go(prune: Callable[[Path], None], left: List[str], tmp_path: Path) -> None:
    old_records(tmp_path, 5)
    prune(tmp_path)
    assert names(tmp_path) == left


def test_a_living_runs_record_stays(tmp_path: Path) -> None:
    old_records(tmp_path, 3)
    descriptor = os.open(tmp_path / "20260100-000000-aaaaaa.jsonl", os.O_WRONLY)
    record_files.hold(descriptor)
    record_files.prune(tmp_path, most=1)
    assert names(tmp_path) == ["20260102", "20260100"]
    os.close(descriptor)
    record_files.prune(tmp_path, most=1)
    assert names(tmp_path) == ["20260102"]


def test_a_new_run_makes_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old_records(tmp_path, 3)
    monkeypatch.setattr(record_files.prune, "__defaults__", (2, 1000))
    record = Record("plan", tmp_path)
    record.begin("20260201-000000-bbbbbb", [])
    record.end([], False)
    assert names(tmp_path) == ["20260201", "20260102"]
