"""Hosts asked: the words of a command of one's own, containers, and what is shown of what hosts said."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, Dict, List, Sequence, Tuple

import pytest

from fleet.agent.probes import LONGEST
from fleet.checks import Outcome, Probe
from fleet.errors import UsageError
from fleet.events import Event, Fault, HostOutcome
from fleet.inventory.model import Host
from fleet.run import command, containers, follow, logs
from fleet.run.host import HostRun
from fleet.run.job import Job
from fleet.run.task import Options
from fleet.transport.stop import Stop
from tests.unit.fleet.test_tasks import invoke
from tests.unit.fleet.wire import agent, answering, done, plan


@pytest.mark.parametrize(
    ("words", "text", "shell", "argv"),
    [
        (["ls", "a b", "$HOME"], "", False, ("ls", "a b", "$HOME")),
        ([], "ls 'a b' $HOME", False, ("ls", "a b", "$HOME")),
        ([], "ls 'a b' | wc", True, ("/bin/sh", "-c", "ls 'a b' | wc")),
        (["ls", "*", "|", "wc"], "", True, ("/bin/sh", "-c", "ls * | wc")),
    ],
)
def test_a_commands_words(words: List[str], text: str, shell: bool, argv: Tuple[str, ...]) -> None:
    assert command.command(words, text, shell, "7") == Probe("exec", argv, timeout=7)


@pytest.mark.parametrize(
    ("words", "text", "timeout", "message"),
    [
        ([], "", "1", "which command?"),
        ([], "  ", "1", "which command?"),
        ([], "# only a remark'", "1", "No closing quotation"),
        ([""], "", "1", "name is empty"),
        (["ls"], "ls", "1", "do not go together"),
        (["ls", "\udcff"], "", "1", "UTF-8"),
        (["ls"], "", "0", "--timeout"),
    ],
)
def test_what_is_no_command_is_refused(words: List[str], text: str, timeout: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        command.command(words, text, False, timeout)


def test_the_words_after_the_dashes_reach_the_host_one_by_one(tmp_path: Any) -> None:
    # Invoke would split "a b", take --help for its own, and join it all.
    invoke("exec", "--hosts", "root@127.0.0.1:1", "--", "echo", "a b", "--help", "--", XDG_STATE_HOME=str(tmp_path))
    (record,) = tmp_path.glob("skiff/runs/*.jsonl")
    opening = json.loads(record.read_text().splitlines()[0])
    assert (opening["task"], opening["command"]) == ("exec", ["echo", "a b", "--help", "--"])
    shown = invoke("runs.show", XDG_STATE_HOME=str(tmp_path))
    assert "  echo 'a b' --help --\n" in shown.stdout


def answered(host: str, status: int = 0, stdout: str = "", stderr: str = "") -> HostOutcome:
    return HostOutcome(host, answers={"exec": Outcome(status, stdout, stderr)})


def test_hosts_that_said_the_same_are_shown_once_and_failures_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    silent, killed, late = answered("d"), answered("e", -9), answered("f", 124)
    lost = HostOutcome("g", state="unreachable", faults=[Fault("no route")])
    said = [answered("a", 0, "6.1\n"), answered("b", 1, "6\n", "bad\n"), answered("c", 0, "6.1\n"), silent, killed, late, lost]
    command.show(said, False)
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["2 hosts: a, c", "  6.1", "d: no output"]
    late_words = "f: exit status 124, as where the time of --timeout runs out"
    assert shown.err.splitlines()[:5] == ["b: exit status 1", "  6", "  stderr: bad", "e: ended by signal 9", late_words]
    assert "no route" in shown.err


def test_one_hosts_answer_is_as_it_is_but_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    command.show([answered("a", 0, "1\n\n  2\x1b[2J", "careful\n")], False)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("1\n\n  2\\x1b[2J\n", "careful\n")


def test_output_forges_no_other_hosts_heading_and_a_cut_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    command.show([answered("a", 0, "x\nb: all well\r\x1b[1A"), answered("c", 0, "y\n" * (LONGEST // 2))], False)
    out = capsys.readouterr().out
    assert "\nb:" not in out
    assert "\x1b" not in out
    assert out.endswith("  ... only the first 256 KiB are shown\n")


def test_json_tells_each_hosts_answer(capsys: pytest.CaptureFixture[str]) -> None:
    command.show([answered("a", 3, "x"), HostOutcome("b", state="unreachable")], True)
    document: Dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["a"]["answer"] == {"status": 3, "stdout": "x", "stderr": ""}
    assert (document["b"]["state"], document["b"]["answer"]) == ("unreachable", None)


@pytest.mark.parametrize(("status", "state"), [(0, "ok"), (1, "failed")])
def test_a_host_whose_command_failed_has_failed_and_its_record_keeps_no_output(status: int, state: str) -> None:
    results = [{"name": "/exec", "status": status, "stdout": "a password", "stderr": "", "seconds": 0}]
    heard: List[Event] = []
    job = Job("verify", questions=(Probe("exec", ("true",)),))
    peer = agent(answering(plan(), {"type": "probes", "results": results}, done()))
    outcome = HostRun(Host("h1", "10.0.0.1"), job, lambda *_: peer, heard.append, Stop())()
    assert (outcome.state, outcome.answers["exec"].stdout) == (state, "a password")
    assert [event.data for event in heard if event.kind == "answers"] == [{"statuses": {"exec": status}}]
    assert "a password" not in str(heard)


# As `docker ps --no-trunc --format '{{json .}}'` of 27.3 prints it, some fields left out.
DOCKERS = (
    r'{"Command":"\"sh -c \\\"sleep 9\\\"\"","ID":"d36bc54a4834f32bf83f","Image":"nginx:1",'
    r'"Names":"web","Ports":"0.0.0.0:80->80/tcp","State":"running","Status":"Up 2 minutes"}'
)
SKIFFS = {
    "Id": "cb688b261daacd081e7c", "Names": ["/db"], "Image": "db\x1b[2J:1", "Command": "serve --for a-long-time", "Created": 1,
    "Status": "Up 1 second", "State": "running", "Ports": [{"PrivatePort": 53, "PublicPort": 5353, "Type": "udp", "IP": "::"}],
}  # fmt: skip


def listed(host: str, stdout: str, status: int = 0, stderr: str = "") -> HostOutcome:
    return HostOutcome(host, answers={"ps": Outcome(status, stdout, stderr)})


def test_containers_of_both_engines_stand_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert containers.show([listed("a", DOCKERS + "\n"), listed("b", json.dumps(SKIFFS) + "\n"), listed("c", "")], False)
    assert capsys.readouterr().out.splitlines() == [
        "HOST  CONTAINER ID  IMAGE        COMMAND                 STATUS        PORTS               NAMES",
        'a     d36bc54a4834  nginx:1      "sh -c "sleep 9""       Up 2 minutes  0.0.0.0:80->80/tcp  web',
        'b     cb688b261daa  db\\x1b[2J:1  "serve --for a-long-…"  Up 1 second   :::5353->53/udp     db',
    ]


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"Id": "x"}', "[" * 100_000, '{"ID": 1, "Names": []}'])
def test_a_list_that_is_none_is_that_hosts_fault(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    liar = listed("liar", line + "\n")
    assert not containers.show([liar, listed("b", json.dumps(SKIFFS) + "\n")], False)
    shown = capsys.readouterr()
    assert "cb688b261daa" in shown.out
    assert "liar: failed\n  the client's list is not understood" in shown.err


def test_a_list_that_was_cut_and_a_client_that_fails_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    cut, down = listed("cut", DOCKERS + "\n" + DOCKERS[:50]), listed("down", "", 1, "cannot connect")
    assert not containers.show([cut, down, listed("bare", "", 127)], True)
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [one["names"] for one in document["cut"]["containers"]] == [["web"]]
    assert "longer than 256 KiB" in document["cut"]["faults"][0]["brief"]
    assert document["down"]["containers"] is None
    assert "down: cannot connect" in shown.err
    assert "bare: there is no /usr/local/bin/skiff" in shown.err


def wrote(host: str, stdout: str = "", status: int = 0, stderr: str = "") -> HostOutcome:
    return HostOutcome(host, answers={"logs": Outcome(status, stdout, stderr)})


ABSENT = wrote("none", stderr="Error response from daemon: No such container: web\n")
FIRST = "2026-11-26T20:02:27.1Z one\nno time\n2026-11-26T20:02:29.000000001Z three\n"
SECOND = "2026-11-26T20:02:27.100000001Z two\x1b[2J\r\n2026-11-26T20:02:30Z four"


@pytest.mark.parametrize(
    ("timestamps", "order"), [(False, ["one", "no", "three", "two", "four"]), (True, ["one", "no", "two", "three", "four"])]
)
def test_lines_stand_by_host_or_by_time(timestamps: bool, order: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.show([wrote("a", FIRST), ABSENT, wrote("web2", SECOND)], "web", timestamps, False)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert [next(word for word in order if word in line) for line in lines] == order
    assert lines[:2] == ["a    | 2026-11-26T20:02:27.1Z one", "a    | no time"]
    assert "web2 | 2026-11-26T20:02:27.100000001Z two\\x1b[2J" in lines
    assert shown.err == ""


def test_a_container_that_no_host_has_and_a_client_that_fails_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert not logs.show([ABSENT], "web", False, False)
    assert capsys.readouterr().err == "no host has a container web\n"
    assert not logs.show(
        [wrote("a", "x\n"), wrote("b", "bad --since\n", 1), wrote("c", "y\n" * (LONGEST // 2))], "web", False, False
    )
    shown = capsys.readouterr()
    assert shown.out.startswith("a | x\nc | y\n")
    assert "b: bad --since\n" in shown.err
    assert "c: only the first 256 KiB are shown" in shown.err


def test_json_tells_lines_apart_from_no_container(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.show([wrote("a", "x\n\ny"), wrote("b"), ABSENT], "web", False, True)
    document = json.loads(capsys.readouterr().out)
    assert [document[host]["lines"] for host in ("a", "b", "none")] == [["x", "", "y"], [], None]


@pytest.mark.parametrize(("container", "tail"), [("", "1"), ("--help", "1"), ("a b", "1"), ("web", "-1"), ("web", "few")])
def test_what_names_no_lines_is_refused(container: str, tail: str) -> None:
    with pytest.raises(UsageError):
        logs.asked(container, tail, "", False)


def test_a_line_that_is_followed_is_shown_once() -> None:
    shown: List[str] = []
    told: List[str] = []
    lines = follow.Lines(False, False, shown.append, told.append)
    lines.end([wrote("a", FIRST), wrote("b", "2026-11-26T20:02:28Z x\n")], False)
    assert shown == ["a | one", "a | no time", "b | x", "a | three"]
    # The same again, with two lines of one time, of which the second is new; then one that is older than what was shown.
    again = FIRST + "2026-11-26T20:02:29.000000001Z fourth\n"
    lines.end([wrote("a", again), HostOutcome("b", state="unreachable", faults=[Fault("no route")])], False)
    lines.end([wrote("a", again + "2026-11-26T20:02:28Z late\n"), wrote("b", "2026-11-26T20:02:28Z x\n")], False)
    assert shown[4:] == ["a | fourth"]
    assert told == ["b: unreachable; no route", "b: answers again; what it wrote meanwhile is not shown"]


def test_followed_lines_as_json_are_objects_with_their_time() -> None:
    shown: List[str] = []
    follow.Lines(False, True, shown.append).end([wrote("a", "2026-11-26T20:02:28.5Z x\n"), wrote("b")], False)
    assert [json.loads(line) for line in shown] == [{"host": "a", "time": "2026-11-26T20:02:28.5Z", "line": "x"}]


def test_following_asks_for_what_came_since_the_last_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: List[Sequence[str]] = []

    def provision(*given: Any, **named: Any) -> Tuple[List[HostOutcome], int]:
        asked.append(given[3][0].argv)
        outcomes = [wrote("a", FIRST)]
        for one in named.get("instead", ()):
            one.end(outcomes, False)
        return outcomes, (0, 0, 130)[len(asked) - 1]

    monkeypatch.setattr(follow, "provision", provision)
    monkeypatch.setattr(follow, "time", SimpleNamespace(monotonic=iter([100.0, 102.5, 105.0]).__next__))
    assert follow.follow(Options("a"), "web", "2", "1h", True, lambda _: None) == 0
    assert [[word for word in words if word.startswith("--")] for words in asked[:2]] == [
        ["--tail=2", "--since=1h", "--timestamps"],
        ["--tail=all", f"--since={follow.EARLIER + 3}s", "--timestamps"],
    ]
    shown = capsys.readouterr()
    assert shown.out.count("three") == 1
    assert shown.err == "following web on 1 host; Ctrl-C ends it\n"


def test_following_does_not_ask_for_a_password_in_every_round() -> None:
    with pytest.raises(UsageError, match="in every round"):
        follow.follow(Options("a", ask_pass=True), "web", "1", "", False)
