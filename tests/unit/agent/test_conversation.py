"""The exchange itself: facts only, the lock, interruptions, and nonsense from the other side."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.agent import run
from fleet.agent.contents import Contents
from fleet.agent.errors import AgentError, ControlGone
from fleet.agent.frames import Channel
from fleet.agent.state import State
from fleet.checks import Probe
from fleet.content import Content
from fleet.exchange.frames import Decoder
from fleet.facts import Facts
from fleet.resources import Command, File
from tests.unit.agent.driver import Exchange, Message, Session, desired, frame, message_frame
from tests.unit.agent.wanted import content, wire


def files(root: Path, count: int = 3) -> List[Dict[str, Any]]:
    return [wire(File(str(root / str(number)), content(f"{number}\n"))) for number in range(count)]


def probe(name: str, *argv: str, **fields: Any) -> Dict[str, Any]:
    one = Probe(name, argv, **fields)
    return {"name": one.name, "argv": list(one.argv), "when": one.when, "timeout": one.timeout, "contents": one.contents}


def test_facts_are_those_that_the_control_side_reads(session: Session) -> None:
    exchange = session.start()
    hello = exchange.one("hello")
    exchange.send({"type": "quit"})
    assert exchange.close() == ""
    assert exchange.process.returncode == 0
    facts = Facts.from_wire(hello["facts"])
    assert (hello["protocol"], hello["cached"]) == (1, False)
    assert facts.kernel == os.uname().release
    assert facts.cgroup in ("v1", "v2", "hybrid")
    assert facts.file_systems["/var/lib"].size > 0
    assert facts.memory > 1 << 20
    assert not session.home.exists()


def test_the_cache_is_made_by_an_apply_and_used_by_the_next(session: Session, root: Path) -> None:
    session.check(files(root))
    assert session.run("apply", files(root)).one("hello")["cached"] is False
    assert session.run("check", files(root)).one("hello")["cached"] is True


def test_verify_tells_drift_and_probes_and_touches_nothing(session: Session, root: Path) -> None:
    exchange = session.run("verify", files(root), [probe("p", "echo", "hi", when="changed")])
    assert len(exchange.one("plan")["changes"]) == 3
    assert exchange.one("probes")["results"][0]["stdout"] == "hi\n"
    assert exchange.of_type("result") == []
    assert os.listdir(root) == []


def test_probes(session: Session, root: Path) -> None:
    image = Content.of(b"image")
    probes = [
        probe("cat", "cat", "{image}", contents={"image": image}),
        probe("fails", "sh", "-c", "echo no >&2; exit 3"),
        probe("missing", "no-such-program"),
        probe("slow", "sh", "-c", "echo so far >&2; exec sleep 60", timeout=3.0),
        probe("rare", "true", when="changed"),
    ]
    exchange = session.run("apply", [], probes)
    results = exchange.one("probes")["results"]
    assert [(one["name"], one["status"]) for one in results] == [("cat", 0), ("fails", 3), ("missing", 127), ("slow", 124)]
    assert results[0]["stdout"] == "image"
    assert results[1]["stderr"] == "no\n"
    assert results[3]["stderr"] == "so far\n"
    changed = session.run("apply", files(root), probes[4:])
    assert [one["name"] for one in changed.one("probes")["results"]] == ["rare"]


def asked_for(exchange: Exchange) -> List[str]:
    return [digest for message in exchange.of_type("need") for digest in message["sha256"]]


def test_what_probes_take_is_sent_once(session: Session, root: Path) -> None:
    script, image, newer = Content.of(b"script"), Content.of(b"image" * 400_000), Content.of(b"newer" * 400_000)

    def verify(mode: str, taken: Content) -> List[str]:
        probes = [probe("p", "sh", "-c", "wc -c <{image}; cat {script}", contents={"image": taken, "script": script})]
        exchange = session.run(mode, files(root), probes)
        assert exchange.one("probes")["results"][0]["stdout"] == "2000000\nscript"
        return asked_for(exchange)

    kept = session.home / "probes"
    session.apply(files(root))
    assert verify("verify", image) == sorted((image.sha256, script.sha256))
    assert verify("verify", image) == []
    (kept / image.sha256).write_bytes(b"damaged")
    assert verify("verify", image) == [image.sha256]
    assert verify("verify", newer) == [newer.sha256]
    assert {path.name for path in kept.iterdir()} == {newer.sha256, script.sha256}
    # A run without probes that take anything lets what is kept be.
    session.apply(files(root))
    assert verify("apply", newer) == []
    assert not list((session.home / "spool").iterdir())


def test_a_host_that_is_merely_looked_at_keeps_nothing(session: Session, root: Path) -> None:
    """Nor a large content: not of this run, and not of one that was killed."""
    taken = {"script": Content.of(b"script"), "image": Content.of(b"image" * 400_000)}
    looks = [probe("p", "sh", "-c", "cat {script}; wc -c <{image}", contents=taken)]
    for broken in (False, True):
        if broken:
            (session.home / "spool").mkdir(0o700, parents=True)
            session.home.chmod(0o700)
            (session.home / "spool" / "left").write_bytes(b"half")
        exchange = session.run("verify", files(root), looks)
        assert exchange.one("probes")["results"][0]["stdout"] == "script2000000\n"
        assert not session.home.exists()


def test_what_cannot_be_kept_is_used_all_the_same(session: Session, root: Path) -> None:
    session.apply(files(root))
    (session.home / "probes").write_text("in the way")
    exchange = session.run("verify", files(root), [probe("p", "cat", "{script}", contents={"script": Content.of(b"script")})])
    assert exchange.one("probes")["results"][0]["stdout"] == "script"


def test_a_run_without_changes_is_one_answer(session: Session, root: Path) -> None:
    session.apply(files(root))
    exchange = session.run("apply", files(root))
    assert [message["type"] for message in exchange.messages] == ["hello", "plan", "result", "result", "result", "probes", "done"]


def test_the_lock_is_waited_for_and_its_holder_named(session: Session, root: Path) -> None:
    def release(exchange: Exchange, message: Message) -> None:
        if message["type"] == "waiting":
            assert message["holder"]["who"] == "other@there pid 7"
            fcntl.flock(held, fcntl.LOCK_UN)

    session.lock.write_text(json.dumps({"who": "other@there pid 7", "run": "r", "pid": 1, "since": "now"}))
    with session.lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fatal = session.run("apply", files(root)).one("fatal")
        assert fatal["error"]["brief"] == "another run has the lock: other@there pid 7"
        assert os.listdir(root) == []
        exchange = session.run("apply", files(root), on_message=release, lock_timeout=30)
    assert len(exchange.of_type("waiting")) == 1
    assert exchange.one("done")["changed"] == 3
    assert session.lock.read_text() == ""


def test_stop_finishes_the_resource_in_hand(session: Session, root: Path) -> None:
    def stop(exchange: Exchange, message: Message) -> None:
        if message["type"] == "begin" and message["id"] == "command:slow":
            exchange.send({"type": "stop"})
            (root / "go").write_text("")

    waits = Command("slow", ("sh", "-c", f"while ! test -e {root}/go; do sleep 0.05; done; sleep 0.3; echo > {root}/done"))
    exchange = session.run("apply", [files(root)[0], wire(waits), *files(root)[1:]], on_message=stop)
    assert [result["status"] for result in exchange.of_type("result")] == ["changed", "changed", "skipped", "skipped"]
    assert exchange.one("done")["interrupted"] is True
    assert sorted(os.listdir(root)) == ["0", "done", "go"]
    assert json.loads((session.home / "last-run.json").read_text())["interrupted"] is True


@pytest.mark.parametrize("end", ["hangup", "SIGTERM", "SIGHUP"])
def test_a_lost_control_side_leaves_an_orderly_host(session: Session, root: Path, end: str) -> None:
    waits = Command("slow", ("sh", "-c", f"while ! test -e {root}/go; do sleep 0.05; done; sleep 0.3; echo > {root}/done"))
    resources = [wire(waits), *files(root)]
    exchange = session.start()
    exchange.send(desired("apply", resources, diff=False))
    while (exchange.receive() or {})["type"] != "need":
        pass
    exchange.contents = {one["_content"].sha256: one["_content"] for one in resources if one["_content"]}
    exchange.send_contents(exchange.one("need")["sha256"])
    while (exchange.receive() or {})["type"] != "begin":
        pass
    if end == "hangup":
        assert exchange.process.stdin is not None
        assert exchange.process.stdout is not None
        exchange.process.stdin.close()
        exchange.process.stdout.close()
    else:
        exchange.process.send_signal(getattr(signal, end))
    (root / "go").write_text("")
    if end != "hangup":
        list(exchange.answers())
    exchange.close()
    record = json.loads((session.home / "last-run.json").read_text())
    assert record["interrupted"] is (end != "SIGHUP")
    assert record["results"][0]["status"] == "changed"
    assert (root / "done").exists()
    assert (root / "2").exists() is (end == "SIGHUP")
    assert session.lock.read_text() == ""
    assert session.apply(resources[1:])[2]["failed"] == 0


@pytest.mark.parametrize(
    ("nonsense", "brief"),
    [
        (b"XXXXXXXX", "the control side sent bytes that are no frame"),
        (frame(b"J", b"{"), "the control side sent a message that is not JSON"),
        (frame(b"J", b"[]"), "the control side sent a message without a type"),
        (message_frame({"type": "desired", "mode": "destroy"}), "the control side sent desired where a desired state was due"),
        (frame(b"B", b"x" * 40), "the control side sent no message where a desired state was due"),
    ],
)
def test_nonsense_is_fatal(session: Session, nonsense: bytes, brief: str) -> None:
    exchange = session.start()
    assert exchange.process.stdin is not None
    exchange.process.stdin.write(nonsense)
    exchange.process.stdin.flush()
    message = exchange.receive()
    assert message is not None
    assert message["error"]["brief"] == brief
    exchange.close()
    assert exchange.process.returncode == 3


def test_an_unknown_kind_and_a_fault_inside_are_told(session: Session, root: Path) -> None:
    good = files(root)[0]
    plan = session.check([{**good, "kind": "volcano"}, {**files(root)[1], "mode": "rw-r--r--"}])
    assert plan["errors"][0]["error"]["brief"] == "this agent knows no resource of kind volcano"
    assert plan["errors"][1]["error"]["brief"].startswith("internal error: ValueError")
    assert "fleet/agent/document.py" in plan["errors"][1]["error"]["details"]


def test_a_content_that_is_not_what_was_asked_for(session: Session, root: Path) -> None:
    exchange = session.start()
    exchange.send(desired("apply", files(root, 1)))
    need = exchange.receive()
    assert need is not None
    digest = need["sha256"][0]
    exchange.contents = {digest: Content(digest, 3, b"lie")}
    exchange.send_contents([digest])
    (fatal,) = list(exchange.answers())
    exchange.close()
    assert fatal["error"]["brief"] == "a content arrived damaged"
    assert os.listdir(root) == []


def test_a_directory_that_others_can_change_is_refused(session: Session, root: Path) -> None:
    session.home.mkdir()
    session.home.chmod(0o777)
    fatal = session.run("apply", files(root)).one("fatal")
    assert fatal["error"]["brief"] == f"{session.home} can be changed by others"
    assert os.listdir(root) == []


@pytest.mark.parametrize("mode", ["apply", "verify"])
def test_a_control_side_lost_while_probes_await_contents(session: Session, root: Path, mode: str) -> None:
    """What was done is on record, and the spool is empty."""
    image = Content.of(b"i" * (2 << 20))
    exchange = session.start()
    probes = [probe("p", "cat", "{image}", contents={"image": image})]
    resources = [wire(Command("c", ("touch", f"{root}/done")))]
    exchange.send(desired(mode, resources, probes))
    while (exchange.receive() or {})["type"] != "need":
        pass
    assert exchange.process.stdin is not None
    exchange.process.stdin.write(frame(b"B", bytes.fromhex(image.sha256) + b"i" * (1 << 20))[:-7])
    exchange.process.stdin.close()
    assert [message["type"] for message in exchange.answers()] == []
    assert exchange.close() == ""
    assert not list(session.home.glob("spool/*"))
    assert (root / "done").exists() is (mode == "apply")
    if mode == "apply":
        assert json.loads((session.home / "last-run.json").read_text())["changed"] == 1


def test_verify_probes_beside_what_cannot_be_checked(session: Session, root: Path) -> None:
    exchange = session.run("verify", [wire(File(str(root / "none" / "x"), content("x")))], [probe("p", "echo", "hi")])
    assert len(exchange.one("plan")["errors"]) == 1
    assert exchange.one("probes")["results"][0]["stdout"] == "hi\n"


def test_what_was_skipped_is_told(session: Session, root: Path) -> None:
    _, results, _ = session.apply([wire(Command("fails", ("false",))), *files(root, 1)])
    assert [one["summary"] for one in results] == ["run false", f"create {root}/0"]


def test_a_peer_that_falls_silent_does_not_keep_the_lock(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SILENCE", -1.0)
    monkeypatch.setattr(run, "ASKED", 0.01)
    source, sink = os.pipe(), os.pipe()
    one = run.Run(Channel(source[0], sink[1]), State(str(tmp_path)), {}, dict(desired("apply", files(root, 1))))
    with pytest.raises(ControlGone):
        one.execute()
    for descriptor in (*source, *sink):
        os.close(descriptor)
    assert os.listdir(root) == []


def test_a_peer_that_falls_silent_is_spoken_to(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has started again ends the connection at that, and the lock is free."""
    monkeypatch.setattr(run, "WORD", -1.0)
    monkeypatch.setattr(run, "ASKED", 0.01)
    source, sink = os.pipe(), os.pipe()
    one = run.Run(Channel(source[0], sink[1]), State(str(tmp_path)), {}, dict(desired("apply", files(root, 1))))
    waiting = threading.Thread(target=pytest.raises, args=(ControlGone, one.execute), daemon=True)
    waiting.start()
    decoder = Decoder()
    heard: List[Message] = []
    while len(heard) < 3:
        assert select.select([sink[0]], [], [], 30)[0], f"nothing more after {heard}"
        heard += decoder.feed(os.read(sink[0], 1 << 16))
    os.close(source[1])
    waiting.join(30)
    assert not waiting.is_alive()
    for descriptor in (source[0], *sink):
        os.close(descriptor)
    asked = [message["sha256"] for message in heard if message["type"] == "need"]
    assert len(asked[0]) == 1
    assert asked[1] == []
    assert os.listdir(root) == []


def test_a_full_disk_is_told_and_gets_its_room_back(tmp_path: Path) -> None:
    image = Content.of(b"i" * (2 << 20))
    frames = iter([(b"B", bytes.fromhex(image.sha256) + b"i" * (1 << 20))])
    contents = Contents(State(str(tmp_path / "home")), lambda _: None, lambda: next(frames))
    contents.clear()
    State(str(tmp_path / "home")).prepare("spool")
    os.symlink("/dev/full", contents.path(image.sha256))
    with pytest.raises(AgentError, match="no space left to write"):
        contents.fetch([{"sha256": image.sha256, "size": image.size}])
    assert os.listdir(tmp_path / "home" / "spool") == []
