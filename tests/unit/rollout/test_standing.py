"""What hosts say of their versions, in a table and as plain data; what they should not say costs their own answer alone."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest

from fleet.checks import Outcome
from fleet.events import HostOutcome
from fleet.rollout import show, standing

TOLD: Dict[str, Any] = {
    "current": "0.2.0",
    "past": ["0.0.9", "0.1.0"],
    "kept": {"0.1.0": {"follows": None, "shims": None}, "0.2.0": {"follows": "0.1.0", "shims": [1, 1]}},
    "daemon": ["0.2.0"],
    "launcher": ["0.2.0"],
    "shims": {"0.1.0": 4, "0.2.0": 1},
}


def answered(host: str, stdout: str, status: int = 0, stderr: str = "") -> HostOutcome:
    return HostOutcome(host, answers={standing.NAME: Outcome(status, stdout, stderr)})


@pytest.mark.parametrize(
    ("here", "previous", "runs"),
    [
        ({}, "0.1.0", True),
        ({"past": []}, None, True),
        ({"past": ["0.1.0", "0.0.9"]}, "0.1.0", True),  # 0.0.9 is not there any more
        ({"daemon": ["0.1.0", "0.2.0"]}, "0.1.0", False),
        ({"daemon": []}, "0.1.0", False),
        ({"launcher": ["0.1.0"]}, "0.1.0", False),
        ({"launcher": []}, "0.1.0", True),  # it is started when it is needed
        ({"current": "0.1.0"}, "0.1.0", False),
    ],
)
def test_what_a_host_runs_and_would_go_back_to(here: Dict[str, Any], previous: object, runs: bool) -> None:
    found = standing.read({**TOLD, **here})
    assert (found.previous, found.runs("0.2.0")) == (previous, runs)


@pytest.mark.parametrize(
    "stdout",
    [
        "", "[]", "null", "{}", json.dumps({**TOLD, "past": "0.1.0"}), json.dumps({**TOLD, "kept": []}),
        json.dumps({**TOLD, "kept": {"0.1.0": 1}}), json.dumps({**TOLD, "shims": {"0.1.0": "many"}}), "[" * 100000,
    ],
)  # fmt: skip
def test_what_is_no_answer_is_the_host_s_fault(stdout: str) -> None:
    outcome = answered("h1", stdout)
    assert standing.told(outcome) is None
    assert outcome.faults[0].brief == "what the host says of its versions is not understood"


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    bare: Dict[str, Any] = {"current": None, "past": [], "kept": {}, "daemon": [], "launcher": [], "shims": {}}
    outcomes = [answered("web1", json.dumps(TOLD)), answered("db", json.dumps(bare)), answered("odd", "", 127, "no python")]
    assert not show.show(outcomes, as_json=False)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "HOST  CURRENT  DAEMON  LAUNCHER  SHIMS                 KEPT          BEFORE",
        "web1  0.2.0    0.2.0   0.2.0     0.1.0 (4), 0.2.0 (1)  0.1.0, 0.2.0  0.1.0",
        "db    -        -       -         -                     -             -",
    ]
    assert "odd: failed" in err
    assert "no python" in err


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert show.show([answered("web1", json.dumps(TOLD))], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document == {"web1": {"state": "ok", "versions": {**TOLD, "previous": "0.1.0"}, "faults": []}}
