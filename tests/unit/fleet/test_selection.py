"""Choosing checks: which claims, probes and resources are left, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import pytest

from fleet.checks import CRITICAL, INFO, WARNING, Check, Claim, Probe
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.resources import File
from fleet.roles.loader import Role, load_role
from fleet.run import fanout, selection
from fleet.run.selection import Selection, chosen
from tests.unit.fleet.test_run import host_run
from tests.unit.fleet.wire import agent, done, job, plan

ROOT = Path(__file__).resolve().parents[3]
GRAVE = Claim("grave", "It is {word}", "everything", "mend {host}", probes=("a",))
MILD = Claim("mild", "It is mild", "little", "look", WARNING, ("b",))
SEEN = Claim("seen", "It is seen", "nothing", "look", INFO, ("b",))
ASKED = Claim("asked", "It is asked for", "the next boot", "look", probes=("c",), demand=True)


def role(name: str = "r", *claims: Claim, judged: List[Check] = []) -> Role:  # noqa: B006 # it is only read
    probes = [Probe(one, ("true",)) for one in "abc"] + [Probe("v", look="clock", when="verify")]
    return Role(
        name,
        Path("/nowhere"),
        {},
        refusals=lambda *_: [],
        resources=lambda *_: [File("/x", state="absent")],
        probes=lambda *_: probes,
        judge=lambda *_: judged,
        release_refusals=lambda *_: [],
        claims=claims or (GRAVE, MILD, SEEN, ASKED),
    )


@pytest.mark.parametrize(
    ("options", "probes"),
    [
        ({}, "ab"),
        ({"only": ["grave"]}, "a"),
        ({"only": ["asked"]}, "c"),
        ({"skip": ["grave"]}, "b"),
        ({"skip": ["mild"]}, "ab"),
        ({"severity": "critical"}, "a"),
        ({"boot": True}, "abc"),
        ({"boot": True, "only": ["seen"]}, "b"),
    ],
)
def test_only_the_probes_of_chosen_claims_are_left(options: Dict[str, Any], probes: str) -> None:
    one = role()
    given = {"only": [], "skip": [], "severity": "", "boot": False, **options}
    found = chosen([one], **given)
    assert "".join(probe.name for probe in found.probes(one, one.probes(None, None))) == probes  # type: ignore[arg-type] # not read


def test_a_role_without_claims_is_chosen_whole(tmp_path: Path) -> None:
    (tmp_path / "role.py").write_text("def resources(facts, variables):\n    return []\n")
    (tmp_path / "checks.py").write_text("def judge(facts, variables, outcomes):\n    return []\n")
    own = load_role("motd", tmp_path)
    assert [claim.name for claim in own.claims] == ["motd"]
    assert [one.name for one in Selection().probes(own, [Probe("x")])] == ["x"]
    assert Selection(only=frozenset(["motd"])).keeps(Check("t", True), "motd")
    assert not Selection(skip=frozenset(["motd"])).keeps(Check("t", True), "motd")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["grav"]}, "did you mean 'grave'?"),
        ({"skip": ["nothing-like-it"]}, "--skip: there is no check 'nothing-like-it'"),
        ({"severity": "bad"}, "--severity: should be one of info, warning, critical, not 'bad'"),
        ({"only": ["grave"], "skip": ["grave"]}, "leave no check"),
    ],
)
def test_what_names_no_check_is_refused(options: Dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen([role()], **{"only": [], "skip": [], "severity": "", "boot": False, **options})
    assert message in f"{caught.value.brief} {caught.value.resolution}"


def test_two_claims_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="the check grave is role r's already"):
        selection.listed([role(), role("other", GRAVE)])


def test_a_severity_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'bad'"):
        Check("t", True, severity="bad")


def run(mode: str, checks: List[Check], **options: Any) -> Tuple[Mapping[str, Any], HostOutcome]:
    """What was sent to a host, and its outcome."""
    sent: List[Mapping[str, Any]] = []
    probes = {"type": "probes", "results": [{"name": "r/a", "status": 0, "stdout": "", "stderr": "", "seconds": 0}]}

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        sent.append(message)
        return [plan(), probes, done()] if message["type"] == "desired" else []

    outcome = host_run(job(mode, role(judged=checks), **options), agent(script))
    return next(one for one in sent if one["type"] == "desired"), outcome


def test_what_is_not_chosen_is_not_sent() -> None:
    def names(message: Mapping[str, Any]) -> List[str]:
        return [probe["name"] for probe in message["probes"]]

    whole, _ = run("verify", [])
    assert (len(whole["resources"]), names(whole), len(whole["clock"])) == (1, ["r/a", "r/b"], 2)
    some, _ = run("verify", [], selection=Selection(only=frozenset(["mild"])))
    assert (some["resources"], names(some)) == ([], ["r/b"])
    applied, _ = run("apply", [])
    assert (names(applied), "clock" in applied) == (["r/a", "r/b", "r/c"], False), "what is for verifications alone stays here"
    assert not any({"look", "given", "patience", "unit"} & probe.keys() for probe in applied["probes"])


def test_checks_are_judged_by_severity_and_name_the_host() -> None:
    checks = [GRAVE.judged(True, word="good"), MILD.judged(False, "seen", "wanted"), SEEN.judged(False)]
    outcome = run("verify", checks)[1]
    assert (outcome.state, outcome.failed_checks, outcome.warnings) == ("ok", 0, 1)
    assert [check.title for _, check in outcome.checks] == ["It is good", "It is mild", "It is seen"]
    assert outcome.as_json()["checks"][1] == {
        "role": "r", "title": "It is mild", "passed": False, "detail": "seen", "cure": "look", "name": "mild",
        "severity": "warning", "expected": "wanted",
    }  # fmt: skip
    failed = run("verify", [GRAVE.judged(False, word="bad")])[1]
    assert (failed.state, failed.checks[0][1].cure) == ("failed", "mend h1")
    assert run("verify", checks, selection=Selection(severity=CRITICAL))[1].warnings == 0


@pytest.mark.parametrize(
    ("severity", "state", "warned", "status"),
    [("critical", "failed", True, 2), ("warning", "ok", True, 4), ("warning", "ok", False, 0), ("info", "ok", True, 0)],
)
def test_the_exit_status_is_that_of_the_gravest(severity: str, state: str, warned: bool, status: int) -> None:
    outcome = HostOutcome("h1", state=state, checks=[("r", Check("t", False, severity=severity))])
    assert fanout.exit_status([outcome], False, warned) == status


def test_the_list_needs_no_host_and_names_every_check(tmp_path: Path) -> None:
    code = "from invoke.main import program; import sys; sys.exit(program.run())"
    argv = [sys.executable, "-c", code, "--search-root", str(ROOT), "verify", "--list", "--json"]
    said = subprocess.run([*argv, "--severity", "critical"], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    rows = json.loads(said)
    assert {row["severity"] for row in rows} == {"critical"}
    assert {"declared", "clock", "container_runs", "boot_links"} <= {row["name"] for row in rows}
    assert all(row["cure"] and row["breaks"] and row["role"] for row in rows)
    lines = subprocess.run([*argv[:-1], "--only", "clock"], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert [line.split()[0] for line in lines.splitlines() if not line.startswith(" ")] == ["clock"]
