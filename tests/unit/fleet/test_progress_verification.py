from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List
from xml.etree import ElementTree

import pytest

from fleet.checks import Check
from fleet.errors import UsageError
from fleet.events import Fault, HostOutcome
from fleet.plan import Change, Plan
from fleet.progress.harmless import harmless, on_one_line
from fleet.progress.junit import Junit
from fleet.progress.tap import Tap

HOSTILE = "a\x00b\x1b[31m</failure><x/>]]>&\ud800\ufffe\n# SKIP \r\n...\n1..0\nBail out!\nok 9"


def outcomes() -> List[HostOutcome]:
    good = HostOutcome("web1", seconds=1.25)
    good.checks.append(("service", Check("runs", True)))
    drifted = HostOutcome("web2", state="failed", plan=Plan((Change("file:/etc/x", "r", False, "update", "", "-a\n+b"),)))
    drifted.checks.append(("service", Check("answers # TODO later", False, HOSTILE, "restart it")))
    drifted.faults.append(Fault("1 resources are not as declared", resolution="`invoke provision` brings them back"))
    drifted.checks.append(("preflight", Check("has room", False, "5 % free", "df -h", "disk_room", "warning", "10 %")))
    lost = HostOutcome("web3", state="unreachable", faults=[Fault("no answer", "timed out"), Fault("besides", "", "", "x")])
    return [good, drifted, lost, HostOutcome("web4", state="interrupted")]


def tap(interrupted: bool = False) -> List[str]:
    said: List[str] = []
    listener = Tap(said.append)
    listener.begin("run-1", [])
    listener.end(outcomes(), interrupted)
    assert all("\n" not in line for line in said)
    return said


def test_tap_numbers_every_case_and_says_why_one_failed() -> None:
    said = tap()
    assert said[:2] == ["TAP version 13", "1..8"]
    points = [re.fullmatch(r"(ok|not ok) (\d+) - (.*)", line) for line in said if not line.startswith(" ")][2:]
    found = [(point[1], int(point[2]), point[3]) for point in points if point]
    assert found == [
        ("ok", 1, "web1 host: is verified"),
        ("ok", 2, "web1 service: runs"),
        ("not ok", 3, "web2 host: is verified"),
        ("not ok", 4, "web2 r: file:/etc/x is as declared"),
        ("not ok", 5, r"web2 service: answers \# TODO later"),
        ("not ok", 6, "web2 preflight: has room # TODO warning"),
        ("not ok", 7, "web3 host: is verified"),
        ("not ok", 8, "web4 host: is verified"),
    ]
    messages = [json.loads(line.partition(": ")[2]) for line in said if line.startswith("  message: ")]
    assert messages[2] == harmless(HOSTILE)
    assert {"  severity: error", "  severity: warning"} <= set(said)
    assert json.loads(next(line for line in said if "besides" in line).partition(": ")[2]) == "timed out\nx: besides"
    assert tap(interrupted=True)[-1] == "Bail out! interrupted"


def test_junit_is_read_back_with_every_case(tmp_path: Path) -> None:
    path = tmp_path / "verify.xml"
    path.write_text("what was there before")
    listener = Junit(path)
    listener.begin("run-1", ["web1"])
    listener.end(outcomes(), False)
    root = ElementTree.parse(path).getroot()
    assert root.get("name") == "skiff verify run-1"
    counts = [tuple(suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped", "time")) for suite in root]
    assert counts == [
        ("web1", "2", "0", "0", "0", "1.250"),
        ("web2", "4", "3", "0", "1", "0.000"),
        ("web3", "1", "0", "1", "0", "0.000"),
        ("web4", "1", "0", "1", "0", "0.000"),
    ]
    failure = root.findall("testsuite[@name='web2']/testcase[@classname='web2.service']/failure")[0]
    # A newline in an attribute is told as such; what XML cannot hold is shown by its number.
    assert failure.get("message") == harmless(HOSTILE)
    assert failure.text == "restart it"
    (skipped,) = root.findall("testsuite[@name='web2']/testcase[@classname='web2.preflight']/skipped")
    assert (skipped.get("message"), skipped.text) == ("warning: 5 % free", "expected: 10 %\ndf -h")
    assert len(failure) == 0
    assert [element.get("name") for element in root.iter("testcase")][1] == "runs"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["verify.xml"]


def test_a_junit_file_that_cannot_be_written_is_told_before_any_host_is_met(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "x.xml", tmp_path):
        with pytest.raises(UsageError, match=f"--junit: {path} cannot be written"):
            Junit(path).begin("run-1", [])


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_no_character_that_steers_is_left(number: int) -> None:
    shown = on_one_line(f"a{chr(number)}b")
    assert shown.isprintable() or chr(number) == "\t"
    assert shown == ("a\tb" if number == 9 else "a b" if number == 10 else f"a{chr(number).encode('unicode_escape').decode()}b")
    if number != 9:
        assert ElementTree.fromstring(f"<a>{shown}</a>").text == shown
