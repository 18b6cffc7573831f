from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Dict

import pytest

from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.record import Record
from fleet.record_files import runs_directory
from fleet.run.resume import repetition, rest
from fleet.run.task import Options
from fleet.tasks.options import CONNECT
from fleet.tasks.runs import resume

LEFT = {"a": "ok", "b": "failed", "c": "changed", "d": "interrupted", "e": "unreachable", "root@10.0.0.9:22": "failed"}
OPTIONS = Options("all", inventory="hosts.yml", settings=("firewalld=kept",), diff=True, json=True, ask_pass=True)


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SKIFF_SSH_PASSWORD", "hunter2")
    monkeypatch.chdir(tmp_path)


def leave(name: str, states: Dict[str, str], task: str = "provision", killed: bool = False, **about: Any) -> None:
    record = Record(task, about={"repeat": repetition("apply", vars(OPTIONS), None), **about})
    record.begin(name, list(states))
    record.end([HostOutcome(host, state=state) for host, state in states.items()], False)
    if killed:
        path = runs_directory() / f"{name}.jsonl"
        path.write_text(path.read_text().splitlines(keepends=True)[0])


def test_the_hosts_that_did_not_get_there_with_the_same_options(tmp_path: Path) -> None:
    leave("20260101-1", LEFT)
    leave("20260102-1", {"z": "ok"})
    leave("20260103-1", {"z": "failed"}, task="facts")
    found = rest("")
    assert (found.run, found.task, found.mode) == ("20260101-1", "provision", "apply")
    assert found.hosts == "b,d,e,root@10.0.0.9:22"
    assert Options(hosts=found.hosts, **found.options) == Options(
        found.hosts, inventory=str(tmp_path / "hosts.yml"), settings=["firewalld=kept"], diff=True, ask_pass=True
    )


def test_a_killed_run_is_resumed_on_every_host() -> None:
    leave("20260101-1", {"a": "", "b": ""}, killed=True)
    assert rest("2026").hosts == "a,b"


def test_a_run_is_resumed_once() -> None:
    leave("20260101-1", LEFT)
    leave("20260102-1", {"b": "ok", "d": "failed"}, resumes="20260101-1")
    assert (rest("").run, rest("").hosts) == ("20260102-1", "d")
    leave("20260103-1", {"d": "ok"}, resumes="20260102-1")
    with pytest.raises(UsageError, match="there is nothing to resume"):
        rest("")


def test_nothing_to_resume_is_refused() -> None:
    leave("20260101-1", {"a": "ok", "b": "changed"})
    with pytest.raises(UsageError, match="there is nothing to resume"):
        rest("")
    with pytest.raises(UsageError, match="provision 20260101-1 brought every host to its end"):
        rest("20260101")


def test_a_run_that_cannot_be_repeated_is_refused() -> None:
    leave("20260101-1", {"a": "failed"}, repeat=None)
    with pytest.raises(UsageError, match="cannot be repeated"):
        rest("")


def test_no_password_is_in_the_record() -> None:
    leave("20260101-1", LEFT)
    assert "hunter2" not in (runs_directory() / "20260101-1.jsonl").read_text()


def test_every_password_may_be_asked_for_again() -> None:
    asking = {name for name in CONNECT if name.startswith("ask_")}
    assert asking <= set(inspect.signature(resume.body).parameters)
