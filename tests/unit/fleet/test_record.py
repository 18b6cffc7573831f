from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from fleet import events
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.record import Record


def test_the_record_holds_every_event_and_is_the_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "skiff" / "runs"
    record = Record("provision", directory)
    record.begin("run-1", ["h1"])
    record.hear(Event("h1", "begin", {"id": "a", "role": "r"}))
    record.end([HostOutcome("h1", state=events.CHANGED)], False)
    lines = [json.loads(line) for line in (directory / "run-1.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["begin", "begin", "end"]
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


def test_a_record_follows_xdg_state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = Record("plan")
    record.begin("run-2", [])
    record.end([], False)
    assert (tmp_path / "skiff" / "runs" / "run-2.jsonl").exists()
