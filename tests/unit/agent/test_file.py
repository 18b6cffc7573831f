"""Files: what differs is told exactly, written whole, and kept aside before it is replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

from fleet.agent import process
from fleet.content import Content
from fleet.resources import Directory, File
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import content, wire


def error_of(session: Session, *resources: File) -> str:
    (error,) = session.check([wire(one) for one in resources])["errors"]
    return str(error["error"]["brief"])


def test_creates_with_mode_and_diff(session: Session, root: Path) -> None:
    plan, results, _ = session.apply([wire(File(str(root / "x"), content("a\nb\n"), mode="0640"))])
    assert plan["changes"][0]["diff"] == f"--- /dev/null\n+++ {root}/x\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    assert results[0]["status"] == "changed"
    assert results[0]["diff"] == plan["changes"][0]["diff"]
    assert (root / "x").read_text() == "a\nb\n"
    assert stat.S_IMODE((root / "x").stat().st_mode) == 0o640


def test_check_touches_nothing(session: Session, root: Path) -> None:
    plan = session.check([wire(Directory(str(root / "d"))), wire(File(str(root / "d" / "x"), content("a\n")))])
    assert len(plan["changes"]) == 2
    assert list(root.iterdir()) == []
    assert not session.home.exists()


def test_update_keeps_the_old_one(session: Session, root: Path) -> None:
    path = root / "x"
    path.write_text("old\n")
    path.chmod(0o640)
    _, results, _ = session.apply([wire(File(str(path), content("new\n")))])
    backup = Path(results[0]["backup"])
    assert backup.read_text() == "old\n"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    assert stat.S_IMODE(session.home.stat().st_mode) == 0o700
    assert results[0]["summary"] == f"update content, mode of {path}"
    assert f"{path} mode: 0640 -> 0644\n" in results[0]["diff"]
    assert "-old\n+new\n" in results[0]["diff"]


def test_mode_alone_needs_no_content(session: Session, root: Path) -> None:
    path = root / "x"
    path.write_text("same\n")
    path.chmod(0o600)
    before = path.stat().st_ino
    exchange = session.run("apply", [wire(File(str(path), content("same\n")))])
    assert exchange.of_type("need") == []
    assert path.stat().st_ino == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_secret_is_in_no_diff_or_record_and_its_copy_is_root_s_alone(session: Session, root: Path) -> None:
    path = root / "secret"
    path.write_text("hunter1\n")
    path.chmod(0o640)
    exchange = session.run("apply", [wire(File(str(path), content("hunter2\n"), mode="0600", secret=True))])
    assert path.read_text() == "hunter2\n"
    assert "hunter" not in str(exchange.messages)
    assert content("hunter2\n").sha256 not in exchange.one("plan")["changes"][0]["diff"], (
        "a short secret is soon found by its digest"
    )
    copy = Path(exchange.one("result")["backup"])
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode)) == ("hunter1\n", 0o600)
    assert stat.S_IMODE((session.home / "backup").stat().st_mode) == 0o700
    kept = b"".join(one.read_bytes() for one in session.home.rglob("*.json"))
    assert b"hunter" not in kept


def test_what_a_validator_says_of_a_secret_is_not_shown(session: Session, root: Path) -> None:
    wanted = File(str(root / "secret"), content("hunter2\n"), secret=True, validate=("sh", "-c", "cat {} >&2; exit 1"))
    exchange = session.run("apply", [wire(wanted)])
    assert exchange.one("result")["error"]["brief"].endswith("is not valid; the old one was kept")
    assert "hunter" not in str(exchange.messages)


def test_binary_and_large_are_told_by_size(session: Session, root: Path) -> None:
    (root / "b").write_bytes(b"\0" * 10)
    large = Content.of(b"x" * (3 << 20))
    resources = [wire(File(str(root / "b"), Content.of(b"\0\1"))), wire(File(str(root / "l"), large))]
    plan, _, _ = session.apply(resources)
    assert plan["changes"][0]["diff"] == f"{root}/b: binary, 10 bytes -> binary, 2 bytes\n"
    assert plan["changes"][1]["diff"] == f"{root}/l: {3 << 20} bytes, not shown\n"
    assert (root / "l").stat().st_size == 3 << 20
    assert list((session.home / "spool").iterdir()) == []


def test_link_to_a_file_is_followed(session: Session, root: Path) -> None:
    (root / "real").write_text("old\n")
    (root / "link").symlink_to("real")
    session.apply([wire(File(str(root / "link"), content("new\n")))])
    assert (root / "link").is_symlink()
    assert (root / "real").read_text() == "new\n"


def test_link_in_a_directory_open_to_all_is_refused(session: Session, root: Path) -> None:
    (root / "victim").write_text("precious\n")
    (root / "open").mkdir()
    (root / "open").chmod(0o777)
    (root / "open" / "link").symlink_to(root / "victim")
    assert "is a link that another user may change" in error_of(session, File(str(root / "open" / "link"), content("x")))
    assert (root / "victim").read_text() == "precious\n"


def test_a_dangling_link_gives_way(session: Session, root: Path) -> None:
    (root / "link").symlink_to("nowhere")
    session.apply([wire(File(str(root / "link"), content("new\n")))])
    assert not (root / "link").is_symlink()
    assert not (root / "nowhere").exists()


def test_validate_keeps_the_old_one(session: Session, root: Path) -> None:
    path = root / "x"
    path.write_text("good\n")
    wanted = File(str(path), content("bad\n"), validate=("sh", "-c", 'grep -q good "$1" || { echo not good; exit 3; }', "sh", "{}"))
    _, results, done = session.apply([wire(wanted)])
    assert done["failed"] == 1
    assert results[0]["error"]["brief"] == f"the new {path} is not valid; the old one was kept"
    assert "not good" in results[0]["error"]["details"]
    assert path.read_text() == "good\n"
    assert os.listdir(root) == ["x"]


def test_absent(session: Session, root: Path) -> None:
    path = root / "x"
    path.write_text("old\n")
    gone = [wire(File(str(path), state="absent"))]
    _, results, _ = session.apply(gone)
    assert Path(results[0]["backup"]).read_text() == "old\n"
    assert not path.exists()
    assert session.check(gone)["changes"] == []


def test_without_content_the_text_is_left(session: Session, root: Path) -> None:
    path = root / "x"
    path.write_text("theirs\n")
    session.apply([wire(File(str(path), mode="0600"))])
    assert path.read_text() == "theirs\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_refusals(session: Session, root: Path) -> None:
    assert error_of(session, File(str(root / "no" / "x"), content(""))) == f"no directory {root}/no for {root}/no/x"
    assert error_of(session, File(str(root), content(""))) == f"{root} is a directory, not a file"
    assert error_of(session, File(str(root / "x"), content(""), owner="nobody-by-this-name")) == "no user nobody-by-this-name"
    os.mkfifo(root / "pipe")
    assert error_of(session, File(str(root / "pipe"), content(""))) == f"{root}/pipe is a pipe, not a file"


def test_an_error_in_the_plan_stops_before_any_change(session: Session, root: Path) -> None:
    resources = [wire(File(str(root / "first"), content("1"))), wire(File(str(root / "no" / "second"), content("2")))]
    plan, results, done = session.apply(resources)
    assert len(plan["changes"]) == len(plan["errors"]) == 1
    assert [result["status"] for result in results] == ["skipped", "failed"]
    assert (done["failed"], done["skipped"]) == (1, 1)
    assert list(root.iterdir()) == []


def test_litter_of_a_killed_run_is_swept(session: Session, root: Path) -> None:
    (root / ".skiff-tmp.0123").write_text("half")
    (root / ".skiff-tmp.dir").mkdir()
    (root / ".skiff-tmp.dir" / "x").write_text("half")
    (root / ".other").write_text("theirs")
    session.home.mkdir(mode=0o700)
    (session.home / ".skiff-tmp.journal").write_text("half")
    dead = subprocess.Popen(["true"])
    dead.wait()
    scratch = Path(process.SCRATCH or tempfile.gettempdir()) / f"skiff-agent.{dead.pid}.x"
    scratch.mkdir()
    session.apply([wire(File(str(root / "x"), content("whole")))])
    assert sorted(os.listdir(root)) == [".other", "x"]
    assert not any(name.startswith(".skiff-tmp") for name in os.listdir(session.home))
    assert not scratch.exists()


def test_only_what_is_missing_is_asked_for(session: Session, root: Path) -> None:
    one, two = content("one\n"), content("two\n")
    session.apply([wire(File(str(root / "one"), one))])
    exchange = session.run("apply", [wire(File(str(root / "one"), one)), wire(File(str(root / "two"), two))])
    assert exchange.one("need")["sha256"] == [two.sha256]


def test_a_link_to_a_directory_that_another_user_may_move_is_not_followed(session: Session, root: Path) -> None:
    (root / "theirs").mkdir(mode=0o700)
    shared = root / "shared"
    shared.mkdir()
    (shared / "d").symlink_to(root / "theirs")
    wanted = [wire(Directory(str(shared / "d"), mode="0755"))]
    assert session.apply(wanted)[2]["failed"] == 0, "root's own link in root's own directory"
    (root / "theirs").chmod(0o700)
    shared.chmod(0o1777)
    (error,) = session.check(wanted)["errors"]
    assert error["error"]["brief"] == f"{shared}/d is a link that another user may change"
    assert stat.S_IMODE((root / "theirs").stat().st_mode) == 0o700


def test_the_end_of_long_output_is_kept() -> None:
    done = process.run(["sh", "-c", f"head -c {process.LONGEST + 10} /dev/zero; echo the end"])
    assert done.stdout.endswith("the end\n")
    assert "bytes were left out" in done.stdout
    assert len(done.stdout) <= process.LONGEST
