from __future__ import annotations

import json
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from fleet import recorded
from fleet.checks import Check
from fleet.errors import UsageError
from fleet.events import Event, Fault, HostOutcome
from fleet.record import Record
from fleet.report import outcomes, page, text, timeline
from tests.unit.fleet.wire import FACTS, plan, result

HOSTILE = "</pre></title><script>alert(1)</script><img src=http://x/ onerror=alert(1)>\"'`{{ 7*7 }}\x1b[2J\u202e\ud800&lt;"
DIFF = "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-old <b>\n+new\n"
BEGUN = 1_700_000_000.0


def event(host: str, after: float, kind: str, **data: Any) -> Event:
    return Event(host, kind, data, at=BEGUN + after)


def finish(host: HostOutcome, after: float) -> Event:
    return Event(host.host, "finished", host.as_json(), at=BEGUN + after)


def web1() -> List[Event]:
    counts = {"ok": 3, "changed": 1, "failed": 0, "skipped": 0}
    return [
        event("web1", 0.0, "connecting", address="10.0.0.1"),
        event("web1", 0.5, "facts", **FACTS),
        event("web1", 0.8, "plan", **plan("file:/etc/x")),
        event("web1", 0.8, "begin", id="file:/etc/x", role="kernel"),
        event("web1", 1.3, "result", **result("file:/etc/x", "changed", role="kernel", seconds=0.4, diff=DIFF)),
        event("web1", 1.4, "result", **result("file:/etc/y", "ok")),
        event("web1", 2.4, "checks", checks=[{"role": "service", "title": "runs", "passed": True, "detail": "", "cure": ""}]),
        finish(HostOutcome("web1", "changed", counts, 2.5, checks=[("service", Check("runs", True))]), 2.5),
    ]


def web2() -> List[Event]:
    failed = HostOutcome("web2", "failed", seconds=1.0, faults=[Fault(HOSTILE, HOSTILE + "\nlast", HOSTILE, HOSTILE)])
    error = {"brief": HOSTILE, "details": "", "resolution": ""}
    broken = result(HOSTILE, "failed", role=HOSTILE, summary=HOSTILE, diff=HOSTILE, seconds=0.5, error=error)
    check = {"role": "service", "title": HOSTILE, "passed": False, "detail": HOSTILE, "cure": HOSTILE, "expected": HOSTILE}
    check.update(name=HOSTILE, severity="warning")
    return [
        event("web2", 0.0, "connecting", address=HOSTILE),
        event("web2", 0.6, "result", **broken),
        event("web2", 0.7, "result", **result("b", "skipped")),
        event("web2", 0.8, "checks", checks=[check]),
        finish(failed, 1.0),
    ]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("time.time", lambda: BEGUN)


def record(run: str, *told: Event, hosts: Tuple[str, ...] = ("web1", "web2"), who: str = "ann@desk pid 7") -> Record:
    record = Record("provision", who=who)
    record.begin(run, list(hosts))
    for each in told:
        record.hear(each)
    return record


def whole(run: str = "20260101-000000-a", who: str = "ann@desk pid 7") -> outcomes.Told:
    made = record(run, *web1(), *web2(), who=who)
    changed = {"ok": 3, "changed": 1, "failed": 0, "skipped": 0}
    made.end([HostOutcome("web1", "changed", changed, 2.5), HostOutcome("web2", "failed", seconds=1.0)], False)
    return outcomes.read(run)


def killed(run: str = "20260101-000000-b") -> outcomes.Told:
    made = record(run, *web1()[:4])
    vars(made)["_stream"].close()
    return outcomes.read(run)


class Page(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_record_gives_the_outcomes_back() -> None:
    told = whole()
    first, second = told.outcomes
    assert (first.state, first.counts["changed"], first.seconds) == ("changed", 1, 2.5)
    assert [line["id"] for line in first.results] == ["file:/etc/x"]
    assert first.plan is not None
    assert [change.id for change in first.plan.changes] == ["file:/etc/x"]
    assert first.checks == [("service", Check("runs", True))]
    assert second.faults[0].where == HOSTILE
    assert (second.failed_checks, second.warnings) == (0, 1)


def test_a_killed_run_tells_what_had_happened() -> None:
    (first, second) = killed().outcomes
    assert (first.state, round(first.seconds, 3)) == (recorded.UNFINISHED, 0.8)
    assert first.plan is not None
    assert (second.state, second.plan, second.results) == (recorded.UNFINISHED, None, [])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("result", {"id": "x"}),
        ("finished", {"state": "ok"}),
        ("checks", {"checks": [1]}),
        ("plan", {"changes": [{}], "errors": []}),
    ],
)
def test_a_damaged_record_is_told(kind: str, data: Dict[str, Any]) -> None:
    record("20260101-000000-c", Event("web1", kind, data)).end([], False)
    with pytest.raises(UsageError, match="the record of 20260101-000000-c is damaged"):
        outcomes.read("")


def test_time_goes_to_roles_and_phases_and_never_twice() -> None:
    story = whole().run.hosts["web1"]
    found = list(timeline.stretches(story, BEGUN))
    assert [(each.group, round(each.begin, 3), round(each.seconds, 3)) for each in found] == [
        ("connect", 0.0, 0.5),
        ("check", 0.5, 0.3),
        ("kernel", 0.9, 0.4),
        ("verify", 1.3, 1.1),
        ("end", 2.4, 0.1),
    ]
    assert next(iter(timeline.by_group(found))) == "verify"


def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    story = recorded.HostStory("a")
    times = [0.0, 5.0, 2.0, 1.0, 9.0]
    kinds = ["connecting", "facts", "plan", "checks", "finished"]
    story.events = [{"kind": kind, "at": BEGUN + at} for kind, at in zip(kinds, times)]
    found = list(timeline.stretches(story, BEGUN))
    assert [(each.group, each.begin, each.seconds) for each in found] == [("connect", 0.0, 5.0), ("end", 5.0, 4.0)]


def test_a_resource_in_hand_when_the_run_was_killed_is_on_the_timeline() -> None:
    story = killed().run.hosts["web1"]
    assert list(timeline.stretches(story, BEGUN))[-1].title == "file:/etc/x: no end"


def test_waiting_for_another_run_is_told_apart() -> None:
    story = recorded.HostStory("a")
    kinds = [("connecting", 0.0), ("facts", 1.0), ("waiting", 1.5), ("plan", 9.0)]
    story.events = [{"kind": kind, "at": BEGUN + at} for kind, at in kinds]
    assert timeline.by_group(timeline.stretches(story, BEGUN)) == {"wait": 7.5, "connect": 1.0, "check": 0.5}


def test_the_list_has_a_line_for_each_run() -> None:
    whole()
    killed()
    heading, second, first = text.table(recorded.recent())
    assert heading.split() == list(text.HEADINGS)
    assert first.startswith("20260101-000000-a  20")
    assert first.endswith("  provision  done    1 changed, 1 failed  2.5      1        ann@desk pid 7")
    assert "killed" in second
    assert "2 unfinished" in second


def test_one_run_is_shown_with_what_changed_and_its_recap() -> None:
    said: List[str] = []
    text.show(whole(), said.append, colour=False, diffs=True)
    assert said[0] == "provision 20260101-000000-a: done"
    assert said[1].endswith("2.5 s, by ann@desk pid 7")
    assert "web1: changed file:/etc/x  update file:/etc/x (0.4 s)" in said
    assert "    -old <b>" in said
    assert said[-1] == "2 hosts: 1 changed, 1 failed"
    assert not any("\x1b" in line for line in said)


def test_a_killed_run_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    killed()
    text.print_run("", diffs=False, as_json=False)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "provision 20260101-000000-b: killed"
    assert said[-1] == "2 hosts: 2 unfinished"


def test_runs_are_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    whole()
    text.print_list(as_json=True)
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["run"], run["hosts"]) == ("20260101-000000-a", {"web1": "changed", "web2": "failed"})
    text.print_run("", diffs=False, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["hosts"]["web2"]["faults"][0]["brief"]) == ("done", HOSTILE)


def test_the_page_tells_hosts_times_differences_failures_and_checks() -> None:
    found = Page(page.render(whole()))
    for words in ("provision 20260101-000000-a", "ann@desk pid 7", "web1", "+new", "-old <b>", "1 more were left out"):
        assert words in found.text
    bars = [attributes for tag, attributes in found.tags if tag == "i" and "style" in attributes]
    titles = {bar["title"]: bar["style"] for bar in bars}
    assert "left:0.000%;width:20.000%" in titles.values()
    assert "kernel: file:/etc/x: changed (0.40 s from 0.90 s)" in titles
    opened = [
        attributes["id"] for tag, attributes in found.tags if tag == "details" and "open" in attributes and "id" in attributes
    ]
    assert opened == ["host-1"], "the host that failed comes first"


def test_what_did_not_pass_stands_first_by_gravity_then_by_hosts() -> None:
    def checked(host: str, *failing: Tuple[str, str]) -> HostOutcome:
        checks = [("r", Check(f"{name} holds", False, "seen", "mend it", name, severity, "wanted")) for name, severity in failing]
        return HostOutcome(host, "failed", checks=[("r", Check("runs", True)), *checks])

    found = [checked("a", ("mild", "warning"), ("seen", "info")), checked("b", ("mild", "warning"), ("grave", "critical"))]
    wanted = [("grave", "critical", ["b"]), ("mild", "warning", ["a", "b"]), ("seen", "info", ["a"])]
    assert [(one.name, one.severity, [host for host, _ in one.hosts]) for one in page.verdicts(found)] == wanted
    made = Record("verify", who="ann")
    made.begin("20260101-000000-d", ["a", "b"])
    for one in found:
        made.hear(event(one.host, 0.1, "checks", checks=one.as_json()["checks"]))
        made.hear(finish(one, 0.2))
    made.end(found, False)
    shown = Page(page.render(outcomes.read("")))
    assert shown.text.index("What did not pass") < shown.text.index("grave holds") < shown.text.index("Hosts")
    assert "mild holds (2 hosts)" in shown.text
    assert shown.text.count("expected: wanted") == 2 * 4, "above, and with each host"
    links = {str(one["href"])[1:] for tag, one in shown.tags if tag == "a" and str(one.get("href")).startswith("#host-")}
    assert links <= {one["id"] for tag, one in shown.tags if tag == "details" and "id" in one}


def test_what_a_host_says_is_text_on_the_page() -> None:
    html = page.render(whole(who=HOSTILE))
    found = Page(html)
    assert "<script>alert(1)</script>" in found.text
    assert "{{ 7*7 }}" in found.text
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert not any(character in html for character in "\x1b\u202e\ud800")
    html.encode()


def test_the_page_takes_nothing_from_outside() -> None:
    found = Page(page.render(whole()))
    links = [value for _, attributes in found.tags for name, value in attributes.items() if name in ("href", "src")]
    assert links
    assert all(link is not None and link.startswith("#host-") for link in links)
    policy = [attributes["content"] for tag, attributes in found.tags if tag == "meta" and "http-equiv" in attributes]
    assert policy[0] is not None
    assert policy[0].startswith("default-src 'none';")
    style = (page.TEMPLATES / "style.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_of_a_killed_run_and_of_one_without_hosts() -> None:
    assert "The run was killed" in Page(page.render(killed())).text
    record("20260101-000000-d", hosts=()).end([], False)
    assert "no host" in Page(page.render(outcomes.read(""))).text


def test_a_page_is_the_owners_alone_and_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page.write(path, "<p>")
    assert path.read_text() == "<p>"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "directory").mkdir()
    for bad in (tmp_path / "directory", tmp_path / "nowhere" / "x.html"):
        with pytest.raises(UsageError, match=f"--out: {bad} cannot be written"):
            page.write(bad, "<p>")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["directory", "page.html"]
