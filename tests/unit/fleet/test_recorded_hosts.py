from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import pytest

from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.record import Record
from fleet.record_files import runs_directory
from fleet.run import again
from fleet.run.task import Options, provision

KNOWN = ["a", "b", "c", "d"]
STATES = {"a": "ok", "b": "failed", "c": "changed", "d": "interrupted", "root@10.0.0.9:22": "failed"}


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def leave(states: Dict[str, str]) -> None:
    record = Record("provision")
    record.begin("20260101-000000-a", list(states))
    record.end([HostOutcome(host, state=state) for host, state in states.items()], False)


def expanded(pattern: str) -> List[str]:
    return [term for term in again.expanded(pattern, KNOWN, lambda _: None).replace(":", ",").split(",") if term]


@pytest.mark.parametrize(
    ("pattern", "terms"),
    [
        ("@failed", ["b", "d", "root@10.0.0.9", "22"]),
        ("@changed", ["c"]),
        ("@changed,@unreachable", ["c"]),
        ("web*:@changed", ["web*", "c"]),
        ("all:!@changed", ["all", "!c"]),
        ("all,!@unreachable", ["all"]),
        ("!@unreachable", ["all"]),
        ("all:!@failed", ["all", "!b", "!d"]),
        ("@changed:!c", ["!c", "c"]),
        ("root@10.0.0.9,a", ["root@10.0.0.9", "a"]),
    ],
)
def test_a_word_stands_for_hosts_of_the_last_run(pattern: str, terms: List[str]) -> None:
    leave(STATES)
    assert expanded(pattern) == terms


@pytest.mark.parametrize("pattern", ["@unreachable", "@unreachable,!a", "!a:@unreachable", "@unreachable:!@failed"])
def test_no_such_host_is_never_every_other_host(pattern: str) -> None:
    leave(STATES)
    with pytest.raises(UsageError, match="no host is @unreachable in the last run, provision 20260101-000000-a"):
        expanded(pattern)


def test_the_run_is_named() -> None:
    leave(STATES)
    said: List[str] = []
    again.expanded("@changed", KNOWN, said.append)
    assert said == ["@changed of provision 20260101-000000-a (done): c"]


def test_an_unknown_word_and_a_missing_run_are_told() -> None:
    with pytest.raises(UsageError, match=f"there is no last run in {runs_directory()}"):
        expanded("@failed")
    leave(STATES)
    with pytest.raises(UsageError, match="--hosts: there is no @broken"):
        expanded("@broken")


def test_a_pattern_without_such_a_word_needs_no_run() -> None:
    assert again.expanded("web*:!web3,root@h:22", KNOWN, lambda _: None) == "web*:!web3,root@h:22"


def test_a_run_refused_as_it_begins_is_no_last_run(tmp_path: Path) -> None:
    leave(STATES)
    options = Options("localhost", junit=str(tmp_path / "nowhere" / "x.xml"))
    with pytest.raises(UsageError, match="--junit"):
        provision("verify", "verify", options)
    assert expanded("@changed") == ["c"]
