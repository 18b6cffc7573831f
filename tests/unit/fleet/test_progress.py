from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
from rich.console import Console

from fleet.checks import Check
from fleet.events import Event, Fault, HostOutcome
from fleet.plan import Plan, coloured_diff, detail
from fleet.progress.columns import side_by_side
from fleet.progress.document import Document
from fleet.progress.lines import Lines
from fleet.progress.live import LiveTable, doing
from fleet.progress.output import write
from fleet.progress.quantity import quantity
from fleet.progress.words import Words
from fleet.run.answers import flat
from tests.unit.fleet.wire import FACTS, plan, result

ROOT = Path(__file__).resolve().parents[3]
DIFF = "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-old\n+new\n"


def lines(outcomes: List[HostOutcome], *heard: Event, **options: Any) -> List[str]:
    said: List[str] = []
    words = Words(colour=False, diffs=options.pop("diffs", False), plans=options.pop("plans", False))
    listener = Lines(said.append, words, **options)
    listener.begin("run", [outcome.host for outcome in outcomes])
    for event in heard:
        listener.hear(event)
    listener.end(outcomes, False)
    return said


def test_a_change_is_a_line_that_grep_finds() -> None:
    changed = result("file:/etc/x", "changed", summary="update /etc/x", diff=DIFF, seconds=0.25)
    assert lines([], Event("web1", "result", changed)) == ["web1: changed file:/etc/x  update (0.2 s)"]
    assert lines([], Event("web1", "result", changed), diffs=True)[1:] == [f"    {line}" for line in DIFF.splitlines()]
    assert lines([], Event("web1", "result", result("a"))) == []


def test_a_plan_is_shown_where_it_is_asked_for() -> None:
    shown = {**plan("file:/etc/x"), "errors": [{"id": "unit:y", "role": "r", "error": {"brief": "no systemd"}}]}
    assert lines([], Event("web1", "plan", shown)) == []
    assert lines([], Event("web1", "plan", shown), plans=True) == [
        "web1: 1 change",
        "  r",
        "    update   file:/etc/x",
        "    unknown  unit:y  no systemd",
    ]
    assert lines([], Event("web1", "plan", plan()), plans=True) == ["web1: no changes"]


def test_waiting_for_another_run_names_it() -> None:
    event = Event("web1", "waiting", {"holder": {"who": "ann@desk pid 7", "since": "12:00"}})
    assert lines([], event) == ["web1: waits for the run of ann@desk pid 7 (since 12:00)"]


def test_the_recap_tells_counts_faults_checks_and_reboots() -> None:
    outcome = HostOutcome("web1", state="failed", seconds=1.25, reboot=("new kernel arguments",))
    outcome.counts.update(ok=3, changed=2, failed=1)
    outcome.faults.append(Fault("disk full", "0 bytes free\non /var", "free some", "file:/etc/x"))
    outcome.checks += [("service", Check("runs", True)), ("service", Check("answers", False, "silence", "restart it"))]
    assert lines([outcome]) == [
        "web1  failed      ok=3 changed=2 failed=1 skipped=0 checks=1/2  1.2 s",
        "    file:/etc/x: disk full",
        "      0 bytes free",
        "      on /var",
        "      -> free some",
        "    FAILED service       answers: silence",
        "           -> restart it",
        "    reboot required: new kernel arguments",
    ]


def test_an_interrupted_host_says_what_was_and_was_not_done() -> None:
    outcome = HostOutcome("web1", state="interrupted", plan=Plan.from_wire(plan("a", "b")))
    outcome.results += [result("a", "changed"), result("b", "skipped"), result("c", "skipped")]
    assert lines([outcome])[1:] == ["    done: a", "    not done: b"]
    assert lines([HostOutcome("web2", state="interrupted")])[1:] == ["    done: nothing", "    not done: all of it"]


def test_several_hosts_are_counted_and_tables_of_checks_stand_before_the_recap() -> None:
    first, second = HostOutcome("a", state="ok"), HostOutcome("bb", state="unreachable")
    first.checks.append(("kernel", Check("values", False, "x", "set them")))
    assert lines([first, second], tables=True) == [
        "a",
        "  FAILED kernel        values: x",
        "         -> set them",
        "a   ok          ok=0 changed=0 failed=0 skipped=0 checks=0/1  0.0 s",
        "bb  unreachable ok=0 changed=0 failed=0 skipped=0  0.0 s",
        "2 hosts: 1 ok, 1 unreachable",
    ]


def test_a_long_detail_keeps_its_beginning_and_its_end() -> None:
    (line,) = Words(False, False, False).check("r", Check("t", False, "begins " + "x " * 500 + "ends"), "")
    assert len(line) < 300
    assert "begins" in line
    assert line.endswith("ends")


def test_a_diff_is_coloured_line_by_line_and_says_the_same_without() -> None:
    assert list(coloured_diff(DIFF, False, "")) == DIFF.splitlines()
    assert list(coloured_diff(DIFF, True, ""))[3:] == ["\x1b[31m-old\x1b[0m", "\x1b[32m+new\x1b[0m"]


@pytest.mark.parametrize(
    ("summary", "name", "shown"),
    [
        ("create /etc/x", "file:/etc/x", "create"),
        ("create directory /etc/x", "directory:/etc/x", "create"),
        ("restart u", "unit:u", "restart"),
        ("mode of /etc/x: 0644 -> 0600", "file:/etc/x", "mode of /etc/x: 0644 -> 0600"),
        ("enable, start u", "unit:u", "enable, start u"),
    ],
)
def test_a_summary_does_not_repeat_its_resource(summary: str, name: str, shown: str) -> None:
    assert detail(summary, name) == shown


def test_the_document_is_one_json_object_at_the_end() -> None:
    said: List[str] = []
    document = Document(said.append)
    document.begin("run-1", ["h"])
    document.hear(Event("h", "result", result("a", "changed")))
    assert said == []
    document.end([HostOutcome("h", plan=Plan.from_wire(plan("a")))], False)
    found: Dict[str, Any] = json.loads(said[0])
    assert (found["run"], found["interrupted"], found["hosts"]["h"]["plan"]["changes"][0]["id"]) == ("run-1", False, "a")


def test_answers_stand_side_by_side_by_their_keys() -> None:
    texts = {"a": "Client:\n Version: 1\nServer:\n Version: 2\n", "bee": "Client:\n Version: 1\n New: x\nServer:\n Version: 3\n"}
    assert list(side_by_side(texts, 80)) == [
        "           a  bee",
        "Client",
        "  Version  1  1",
        "  New         x",
        "Server",
        "  Version  2  3",
    ]
    assert list(side_by_side(texts, 10))[:2] == ["a:", "  Client:"]
    assert list(side_by_side({"a": "x: 1\n"}, 80)) == ["x: 1"]


def test_facts_are_shown_for_a_person() -> None:
    shown = list(flat(FACTS))
    assert "  version: 3.9.18" in shown
    assert "  id_like: rhel, fedora" in shown
    assert "  /var/lib: type xfs, ftype yes, free 1, size 2" in shown
    assert "kvm: no" in shown


def test_lines_scroll_by_above_the_live_table(capsys: pytest.CaptureFixture[str]) -> None:
    table = LiveTable(lambda put: Lines(put, Words(False, False, False)))
    table.begin("run", ["web1"])
    table.hear(Event("web1", "connecting", {"address": "10.0.0.1"}))
    table.hear(Event("web1", "result", result("file:/etc/x", "changed", summary="create /etc/x")))
    table.hear(Event("web1", "finished", {"state": "changed"}))
    table.end([HostOutcome("web1", state="changed")], False)
    said = capsys.readouterr().out.splitlines()
    assert "web1: changed file:/etc/x  create" in said
    assert said[-1].startswith("web1  changed ")


def test_the_live_table_says_what_a_host_is_at() -> None:
    steps = [
        Event("h", "connecting", {"address": "10.0.0.1"}),
        Event("h", "facts", FACTS),
        Event("h", "plan", plan("a")),
        Event("h", "begin", {"role": "r", "id": "a"}),
        Event("h", "checks", {}),
    ]
    said = ""
    words = []
    for step in steps:
        said = doing(step, said)
        words.append(said)
    assert words == ["connecting to 10.0.0.1", "checking (CentOS Stream 9, x86_64)", "applying", "r: a", "r: a"]


def test_a_low_and_narrow_terminal_keeps_the_counts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "6")
    table = LiveTable(lambda put: Lines(put, Words(False, False, False)))
    names = [f"web{number}" for number in range(50)]
    table.begin("run", names)
    for name in names:
        table.hear(Event(name, "begin", {"role": "kernel", "id": "sysctl:\x1b[2Jnet.ipv4.ip_forward and more of it"}))
    table.end([], False)
    capsys.readouterr()
    Console(width=30).print(table._table())
    rows = [row.rstrip() for row in capsys.readouterr().out.splitlines()]
    assert len(rows) == 5
    assert "0/50 hosts" in rows
    assert not any("\x1b" in row or len(row) > 30 for row in rows)


HOSTILE = "fine\x1b]0;title\x07\x1b[2J\u202e\nweb2: changed everything\r\x9b31m\ud800"


def test_what_a_host_says_steers_no_terminal_and_forges_no_line() -> None:
    outcome = HostOutcome("web1", state="failed", reboot=(HOSTILE,))
    outcome.faults.append(Fault(HOSTILE, HOSTILE, HOSTILE, "file:" + HOSTILE))
    outcome.checks.append(("r", Check(HOSTILE, False, HOSTILE, HOSTILE)))
    hostile = {"summary": HOSTILE, "diff": HOSTILE, "id": HOSTILE, "action": HOSTILE, "role": "r", "handler": False}
    events = [
        Event("web1", "result", result(HOSTILE, "changed", summary=HOSTILE, diff=HOSTILE)),
        Event("web1", "plan", {"changes": [hostile], "errors": [{"id": "x", "role": "r", "error": {"brief": HOSTILE}}]}),
        Event("web1", "waiting", {"holder": {"who": HOSTILE}}),
    ]
    said = lines([outcome], *events, diffs=True, plans=True)
    assert "fine\\x1b]0;title\\x07" in said[0]
    for line in said:
        assert line.replace("\u202e", "?").isprintable()
        assert "\n" not in line
        assert "\u202e" not in line
        assert not line.startswith("web2")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_takes_no_more_ends_no_run(name: str) -> None:
    program = (
        "import os, sys; from fleet.progress import output\n"
        f"for _ in range(3): output.write(sys.{name}, 'x' * 9000)\n"
        "os.write(int(sys.argv[1]), b'went on')\n"
    )
    reader, writer = os.pipe()
    with open("/dev/full", "wb") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, name: full}
        argv = [sys.executable, "-c", program, str(writer)]
        done = subprocess.run(argv, **streams, cwd=ROOT, pass_fds=[writer], text=True)  # type: ignore[call-overload] # by name
    os.close(writer)
    with open(reader, "rb") as stream:
        assert stream.read() == b"went on"
    assert done.returncode == 0
    if name == "stdout":
        assert done.stderr == "standard output ends here: No space left on device\n"


def test_letters_that_the_streams_encoding_has_not_are_shown_by_number() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    write(stream, "caf\xe9 \u4e2d \ud800")
    assert raw.getvalue() == b"caf\xe9 \\u4e2d \\ud800\n"


def test_one_is_no_plural() -> None:
    assert [quantity(number, "host") for number in range(3)] == ["0 hosts", "1 host", "2 hosts"]
