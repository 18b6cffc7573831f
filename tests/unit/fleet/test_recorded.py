from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from fleet import events, recorded
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.record import Record

COUNTS = {"ok": 1, "changed": 2, "failed": 0, "skipped": 0}


def outcome(host: str, state: str, **counts: int) -> HostOutcome:
    return HostOutcome(host, state=state, counts={**COUNTS, **counts}, seconds=1.5)


def write(
    directory: Path,
    run: str,
    states: Dict[str, str],
    task: str = "provision",
    ended: bool = True,
    heard: Optional[List[Event]] = None,
) -> Record:
    record = Record(task, directory, "ann@desk pid 7")
    record.begin(run, list(states))
    for event in heard or []:
        record.hear(event)
    outcomes = [outcome(host, state) for host, state in states.items() if state != recorded.UNFINISHED]
    for each in outcomes:
        record.hear(Event(each.host, "finished", each.as_json()))
    if ended:
        record.end(outcomes, events.INTERRUPTED in states.values())
    return record


def kill(record: Record) -> None:
    stream: Any = vars(record)["_stream"]
    stream.write('{"kind": "result", "host": "b", "sta')
    stream.close()


def test_a_run_that_ended_is_told_whole(tmp_path: Path) -> None:
    begun = Event("a", "begin", {"id": "x", "role": "r"})
    write(tmp_path, "run-1", {"a": "changed", "b": "failed"}, heard=[begun])
    run = recorded.read(recorded.find("run-1", tmp_path))
    assert (run.name, run.task, run.who, run.state) == ("run-1", "provision", "ann@desk pid 7", recorded.DONE)
    assert run.states == {"changed": 1, "failed": 1}
    assert run.changed == 4
    assert run.hosts["a"].seconds == 1.5
    assert [line["id"] for line in run.hosts["a"].of("begin")] == ["x"]
    assert run.hosts["a"].outcome["state"] == "changed"


def test_a_run_goes_on_while_its_process_holds_it_and_is_killed_after(tmp_path: Path) -> None:
    record = write(tmp_path, "run-2", {"a": "ok", "b": recorded.UNFINISHED}, ended=False)
    assert recorded.read(recorded.find("last", tmp_path)).state == recorded.IN_PROGRESS
    kill(record)
    run = recorded.read(recorded.find("last", tmp_path))
    assert run.state == recorded.KILLED
    assert run.states == {"ok": 1, "unfinished": 1}


def test_a_host_whose_turn_never_came_is_told_by_the_last_line(tmp_path: Path) -> None:
    record = Record("provision", tmp_path)
    record.begin("run-3", ["a"])
    record.end([HostOutcome("a", state="interrupted")], True)
    run = recorded.read(recorded.find("run-3", tmp_path))
    assert (run.state, run.hosts_in("interrupted")) == (recorded.INTERRUPTED, ["a"])


def test_a_run_is_found_by_what_only_its_name_begins_with(tmp_path: Path) -> None:
    for name in ("20260101-a", "20260101-b", "20260102-c"):
        write(tmp_path, name, {})
    assert recorded.find("", tmp_path).stem == "20260102-c"
    assert recorded.find("20260102", tmp_path).stem == "20260102-c"
    with pytest.raises(UsageError, match="2 runs begin with '20260101'"):
        recorded.find("20260101", tmp_path)
    with pytest.raises(UsageError, match=r"there is no run '\.\./x'"):
        recorded.find("../x", tmp_path)
    with pytest.raises(UsageError, match="there is no run yet in"):
        recorded.find("", tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "\n", "half a li", "[]\n", '{"kind": "begin", "host": "a"}\n', "\x00" * 4096])
def test_what_is_no_record_is_told_by_name_and_passed_over_in_lists(text: str, tmp_path: Path) -> None:
    write(tmp_path, "run-1", {})
    (tmp_path / "run-9.jsonl").write_text(text)
    with pytest.raises(UsageError, match="is no run record"):
        recorded.read(recorded.find("run-9", tmp_path))
    assert [run.name for run in recorded.recent(tmp_path)] == ["run-1"]


def test_a_look_at_many_records_tells_the_same_without_the_events(tmp_path: Path) -> None:
    result = Event("a", "result", {"id": "x", "status": "changed", "summary": '"kind": "end"'})
    write(tmp_path, "run-1", {"a": "changed"}, heard=[result])
    (run,) = recorded.recent(tmp_path)
    assert (run.state, run.states, run.changed, run.hosts["a"].events) == (recorded.DONE, {"changed": 1}, 2, [])


def test_what_a_killed_run_changed_is_counted(tmp_path: Path) -> None:
    heard = [
        Event("a", "result", {"id": name, "status": status}) for name, status in [("x", "changed"), ("y", "ok"), ("z", "changed")]
    ]
    kill(write(tmp_path, "run-1", {"a": recorded.UNFINISHED}, ended=False, heard=heard))
    (run,) = recorded.recent(tmp_path)
    assert (run.state, run.changed) == (recorded.KILLED, 2)
    assert recorded.read(recorded.find("", tmp_path)).hosts["a"].counts == {"changed": 2, "ok": 1}


def test_the_last_work_is_over_and_no_question(tmp_path: Path) -> None:
    write(tmp_path, "run-1", {"a": "failed"}, task="plan")
    write(tmp_path, "run-2", {"a": "ok"}, task="facts")
    going = write(tmp_path, "run-3", {"a": recorded.UNFINISHED}, ended=False)
    assert recorded.last_work(tmp_path).name == "run-1"
    kill(going)
    assert recorded.last_work(tmp_path).name == "run-3"
    with pytest.raises(UsageError, match="there is no last run in"):
        recorded.last_work(tmp_path / "nowhere")
