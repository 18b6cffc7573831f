"""A whole pull with the real agent: it converges, it costs little where nothing changed, and what is wrong changes nothing."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from fleet.content import Content
from fleet.resources import Command, File
from fleet.secret import Secret
from tests.site import Site
from tests.unit.agent import interpreters
from tests.unit.agent.wanted import wire
from tests.unit.pull.host import PullingHost, content, this_machine


def file(root: Path, text: str, name: str = "x") -> Dict[str, Any]:
    return wire(File(str(root / name), content(text)))


@pytest.mark.parametrize("python", interpreters.found())
def test_a_host_converges_and_repairs_on_every_python(host: PullingHost, site: Site, root: Path, python: str) -> None:
    host.python = interpreters.found()[python]
    host.publish([file(root, "first")])
    done = host.pull()
    assert done.returncode == 0, done.stderr
    assert (root / "x").read_text() == "first"
    assert "converged: 1 changed, 0 ok; published 2026-01-02T03:04:05Z by ann@control" in done.stderr
    site.answers.clear()
    assert host.pull().returncode == 0
    assert [(status, size) for _, status, size in site.answers] == [(304, 0)]
    status = host.status()
    assert (status["result"], status["requests"], status["bytes"], status["serial"]) == ("unchanged", 1, 0, host.serial)
    (root / "x").write_text("drifted")
    assert host.pull().returncode == 0
    assert ((root / "x").read_text(), host.status()["result"]) == ("first", "changed")


def test_a_new_state_costs_what_is_new_in_it(host: PullingHost, site: Site, root: Path) -> None:
    large = wire(File(str(root / "large"), content("large" * 100_000)))
    host.publish([large, file(root, "first")])
    assert host.pull().returncode == 0
    assert len(site.answers) == 5  # head, document, agent, two contents
    site.answers.clear()
    host.publish([large, file(root, "second")])
    assert host.pull().returncode == 0
    assert (root / "x").read_text() == "second"
    assert len(site.answers) == 3
    assert sum(size for _, _, size in site.answers) < 5000


def test_a_ledger_and_copies_are_kept_as_by_any_run(host: PullingHost, root: Path) -> None:
    (root / "x").write_text("theirs")
    host.publish([file(root, "ours")])
    assert host.pull().returncode == 0
    (line,) = [json.loads(line) for line in (host.home / "ledger.jsonl").read_text().splitlines()]
    assert line["name"] == str(root / "x")
    assert Path(line["before"]["copy"]).read_text() == "theirs"
    assert json.loads((host.home / "last-run.json").read_text())["who"].endswith("published by ann@control 2026-01-02T03:04:05Z")


def test_a_failed_resource_fails_the_pull_with_cause_and_cure(host: PullingHost, root: Path) -> None:
    (root / "x").mkdir()
    host.publish([file(root, "text")])
    assert "file:" + str(root / "x") in host.refused()
    status = host.status()
    assert (status["result"], status["converged"], status["counts"]["failed"]) == ("failed", None, 1)
    (root / "x").rmdir()
    assert host.pull().returncode == 0
    good = host.status()["converged"]
    (root / "x").unlink()
    (root / "x").mkdir()
    host.refused()
    assert host.status()["converged"] == good


def forged(host: PullingHost, root: Path) -> None:
    path = host.publish([file(root, "forged")])
    path.write_bytes(path.read_bytes().replace(b"ann@control", b"eve@control"))


def unsigned(host: PullingHost, root: Path) -> None:
    path = host.publish([file(root, "forged")])
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def strangers(host: PullingHost, root: Path) -> None:
    known = host.keys.current
    host.keys.use(host.keys.make(None))
    host.publish([file(root, "forged")])
    host.keys.use(known)


def mislabelled(host: PullingHost, root: Path) -> None:
    """Signed by a stranger in the name of a key that is accepted."""
    known = host.keys.current
    strangers(host, root)
    path = host.site / "hosts" / "web1"
    path.write_bytes(known.encode() + b" " + path.read_bytes().partition(b" ")[2])


def another_hosts(host: PullingHost, root: Path) -> None:
    other = host.publish([file(root, "forged")], host="web2")
    other.rename(host.site / "hosts" / "web1")


def older(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")], serial=host.serial - 5)


def another_machines(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")], machine={**this_machine(), "machine": "0" * 32})


def another_release(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")], machine={**this_machine(), "os": {**this_machine()["os"], "version_id": "99.1"}})


def sealed_for_another(host: PullingHost, root: Path) -> None:
    host.key = "a5" * 32
    host.publish([file(root, "forged")])


def damaged_object(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")])
    (host.site / "objects" / content("forged").sha256).write_bytes(b"FORGED")


def larger_object(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")])
    (host.site / "objects" / content("forged").sha256).write_bytes(b"forged" * 1000)


def cut_object(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")])
    (host.site / "objects" / content("forged").sha256).write_bytes(b"forg")


def damaged_document(host: PullingHost, root: Path) -> None:
    path = host.publish([file(root, "forged")])
    told = json.loads(path.read_bytes().partition(b"\n")[2])
    (host.site / "objects" / told["document"]["sha256"]).write_bytes(b"x" * told["document"]["size"])


def absent_object(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")])
    (host.site / "objects" / content("forged").sha256).unlink()


def huge_head(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "forged")]).write_bytes(b"x" * (2 << 20))


HOSTILE: Dict[Callable[[PullingHost, Path], None], str] = {
    forged: "the signature is wrong",
    unsigned: "what the source gave is no signed state",
    strangers: "a key that this host does not accept",
    mislabelled: "the signature is wrong",
    another_hosts: "the state is another host's",
    older: "older than one that this host has taken",
    another_machines: "its machine id is another",
    another_release: "its release is another",
    sealed_for_another: "sealed with another key",
    damaged_object: "is damaged, or somebody changed it",
    larger_object: "is larger than 6 bytes",
    cut_object: "only 4 of 6 bytes came",
    damaged_document: "is damaged, or somebody changed it",
    absent_object: "answers 404",
    huge_head: "is larger than",
}


def seen(folder: Path) -> Dict[str, Any]:
    return {str(path): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: str(each.__name__))
def test_what_is_wrong_changes_nothing_and_is_named(
    host: PullingHost, root: Path, hostile: Callable[[PullingHost, Path], None]
) -> None:
    if hostile is older:
        host.publish([file(root, "good")])
        assert host.pull().returncode == 0
    before, ledger = seen(root), (host.home / "ledger.jsonl").exists()
    hostile(host, root)
    said = host.refused()
    assert HOSTILE[hostile] in said
    assert "\n-> " in said
    assert (seen(root), (host.home / "ledger.jsonl").exists()) == (before, ledger)
    assert HOSTILE[hostile] in host.status()["error"]["brief"] + host.status()["error"]["details"]


@pytest.mark.parametrize("hostile", [forged, damaged_object], ids=lambda each: str(each.__name__))
def test_what_was_wrong_is_forgotten_with_the_next_good_state(
    host: PullingHost, root: Path, hostile: Callable[[PullingHost, Path], None]
) -> None:
    hostile(host, root)
    host.refused()
    host.publish([file(root, "mended")])
    done = host.pull()
    assert done.returncode == 0, done.stderr
    assert (root / "x").read_text() == "mended"


def test_an_older_state_is_taken_once_the_host_forgets_the_newer(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "new")])
    assert host.pull().returncode == 0
    host.publish([file(root, "old")], serial=5)
    host.refused()
    (host.home / "pull" / "taken.json").unlink()
    assert host.pull().returncode == 0
    assert (root / "x").read_text() == "old"


def test_what_guards_against_older_states_is_not_passed_over_where_it_is_damaged(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "new")])
    assert host.pull().returncode == 0
    (host.home / "pull" / "taken.json").write_text("{")
    assert "taken.json is damaged" in host.refused()


def test_a_withdrawn_key_is_accepted_for_no_state_that_is_here_already(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "x")])
    assert host.pull().returncode == 0
    old = host.keys.current
    host.keys.use(host.keys.make(None))
    host.install()
    assert host.pull().returncode == 0, "both keys are accepted"
    host.publish([file(root, "y")])
    host.keys.drop(old)
    host.install()
    assert host.pull().returncode == 0
    host.install(keys={"0" * 16: next(iter(host.keys.public().values()))})
    assert "a key that this host does not accept" in host.refused()


def test_an_expired_state_is_still_kept_up_and_said_to_be_old(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "x")], expires=-60)
    done = host.pull()
    assert (done.returncode, (root / "x").read_text()) == (0, "x")
    assert "what is published expired" in done.stderr


def test_a_secret_lies_sealed_and_reaches_the_file_alone(host: PullingHost, root: Path) -> None:
    word = Secret("correct horse battery staple" * 4_000)  # more than is sent at once
    host.publish([wire(File(str(root / "key"), Content.of(word), mode="0600", secret=True)), file(root, "x")], [word])
    for path in host.site.rglob("*"):
        assert not path.is_file() or b"correct horse" not in path.read_bytes()
        assert Content.of(word).sha256 not in path.name
    done = host.pull()
    assert (root / "key").read_text() == word.reveal()
    kept = b"".join(path.read_bytes() for path in host.home.rglob("*") if path.is_file())
    for leak in (word.reveal(), base64.b64encode(word.reveal().encode()).decode()):
        assert leak not in done.stderr
        assert leak.encode() not in kept


def test_a_dead_server_and_a_wrong_certificate_are_named(host: PullingHost, site: Site, root: Path, tmp_path: Path) -> None:
    host.publish([file(root, "x")])
    assert host.pull().returncode == 0
    stranger = Site("127.0.0.1", tmp_path / "site", tmp_path / "others")
    try:
        host.install(ca=stranger.ca.read_text())
        assert "the server's certificate is not accepted" in host.refused()
    finally:
        stranger.close()
    host.install(ca=site.ca.read_text())
    site.close()
    assert "Connection refused" in host.refused()
    assert host.status()["converged"] is not None


def test_a_pull_that_is_removed_while_it_waits_for_its_turn_does_nothing(host: PullingHost, root: Path) -> None:
    host.install(patience=60)
    host.publish([file(root, "x")])
    with host.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pulling = subprocess.Popen(host.command(), stderr=subprocess.PIPE, text=True)
        assert pulling.stderr is not None
        assert "waiting for another run" in pulling.stderr.readline()
        host.settings_path.unlink()
    said = pulling.communicate(timeout=30)[1]
    assert (pulling.returncode, (root / "x").exists()) == (1, False)
    assert "taken out of pull mode" in said
    assert [path.name for path in host.home.iterdir()] == ["pull"], "not even the agent is kept"
    assert not (host.home / "pull" / "status.json").exists()


def test_a_second_run_is_refused_by_the_lock_with_its_holder(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "x")])
    with host.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"who": "bob@control", "run": "r", "pid": 1, "since": "now"}))
        lock.flush()
        assert "another run has the lock: bob@control" in host.refused()


def test_a_killed_pull_is_mended_by_the_next(host: PullingHost, root: Path) -> None:
    host.publish([file(root, "x" * 1000, str(number)) for number in range(40)])
    for delay in (0.15, 0.3, 0.45):
        pulling = subprocess.Popen(host.command(), stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(pulling.pid, signal.SIGKILL)
        pulling.wait()
    done = host.pull()
    for _ in range(50):
        if done.returncode == 0:
            break  # an agent that was left alone finishes the resource in hand before it lets the lock go
        time.sleep(0.1)
        done = host.pull()
    assert done.returncode == 0, done.stderr
    assert {path.read_text() for path in root.iterdir()} == {"x" * 1000}
    assert len(list(root.iterdir())) == 40


def test_a_word_to_end_lets_the_resource_in_hand_be_finished(host: PullingHost, root: Path) -> None:
    fifo = root / "fifo"
    os.mkfifo(fifo)
    slow = wire(Command("slow", ("/bin/sh", "-c", f"echo begun > {fifo}; sleep 1; echo done > {root}/slow")))
    host.publish([slow, file(root, "after")])
    pulling = subprocess.Popen(host.command(), stderr=subprocess.PIPE, text=True)
    assert fifo.read_text() == "begun\n"
    pulling.terminate()
    said = pulling.communicate(timeout=30)[1]
    assert ((root / "slow").read_text(), (root / "x").exists(), pulling.returncode) == ("done\n", False, 1)
    assert "the next one continues from there" in said
