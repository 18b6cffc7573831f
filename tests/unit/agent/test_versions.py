"""Versions of the runtime on a host: which may follow which, which one is to be gone back to, which ones are too many."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from fleet.agent import succession, versions
from fleet.agent.kinds import archive
from fleet.resources import Archive, Link, Succession, Versions
from tests.unit.agent.driver import Session
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import wire

SAYS: Dict[str, Any] = {"follows": "0.1.0", "shims": [1, 1]}


def lay(home: Path, *names: str, current: str = "", **says: Any) -> None:
    """Versions as a bundle lays them out."""
    for name in names:
        (home / name).mkdir(parents=True)
        (home / name / "manifest.json").write_text(json.dumps({"name": "skiff", "version": name, **SAYS, **says}))
    if current:
        (home / "current").unlink(missing_ok=True)
        (home / "current").symlink_to(current)


@contextlib.contextmanager
def running(home: Path, version: str, role: str = "launcher") -> Iterator[None]:
    """A process whose command line is that of a runtime's."""
    words = [f"{home}/{version}/bin/../skiff/__main__.py", role, "/run/skiff"]
    argv = [sys.executable, "-c", "print(flush=True); input()", *words]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # within its exec, it has no command line yet
        yield
    finally:
        process.kill()
        process.communicate()


def test_versions_sort_by_age() -> None:
    aged = ["0.1.0", "0.2.0-rc1", "0.2.0rc2", "0.2.0rc10", "0.2.0", "0.2.0+site2", "0.2.0+site10", "0.10.0", "1"]
    assert sorted(sorted(aged), key=lambda name: versions.order(name) or ()) == aged
    assert versions.order("0.2") == versions.order("0.2.0")
    assert [versions.order(word) for word in ("", "latest", "v1", "1..2", "../1", "1/2")] == [None] * 6


def found(current: Optional[str], shims: Dict[str, int], **kept: Any) -> Dict[str, Any]:
    return {"current": current, "shims": shims, "kept": kept}


OLD = {"0.1.0": SAYS}


@pytest.mark.parametrize(
    ("here", "wanted", "back", "words"),
    [
        (found(None, {}), SAYS, False, ""),
        (found("0.2.0", {}), {}, False, ""),  # already there
        (found("0.1.0", {"0.1.0": 3}, **OLD), SAYS, False, ""),
        (found("0.3.0", {}, **{"0.3.0": SAYS}), SAYS, False, "0.2.0 is older than 0.3.0"),
        (found("0.3.0", {}, **{"0.3.0": SAYS}), SAYS, True, ""),
        (found("0.3.0", {}, **{"0.3.0": {"follows": "0.2.1", "shims": [1, 1]}}), SAYS, True, "follows no version older than 0.2.1"),
        (found("0.3.0", {}), SAYS, True, "0.3.0 does not say which versions it can follow"),
        (found("0.0.9", {}), SAYS, False, "0.2.0 follows no version older than 0.1.0"),
        (found("0.1.0", {}, **OLD), {**SAYS, "follows": None}, False, "0.2.0 does not say which versions it can follow"),
        (found("tip", {}), SAYS, False, "tip is no version that can be compared"),
        (
            found("0.1.0", {"0.1.0": 1}, **OLD),
            {**SAYS, "shims": [2, 3]},
            False,
            "1 container here runs under shims of 0.1.0, which speak",
        ),
        (found("0.1.0", {"0.1.0": 1}, **OLD), {**SAYS, "shims": [1, 3]}, False, ""),
        (found("0.1.0", {}, **OLD), {**SAYS, "shims": [2, 3]}, False, ""),  # nothing runs that it would not understand
        (
            found("0.1.0", {"0.0.1": 2}, **OLD),
            SAYS,
            False,
            "2 containers here run under shims of 0.0.1, whose protocol is not known",
        ),
        (found("0.1.0", {"current": 1}, **OLD), SAYS, False, "whose protocol is not known"),
        (found("0.1.0", {"0.1.0": 1}, **OLD), {**SAYS, "shims": None}, False, "does not say which shims it understands"),
    ],
)
def test_which_may_follow_which(here: Dict[str, Any], wanted: Dict[str, Any], back: bool, words: str) -> None:
    refused = succession.refusal(here, {"version": "0.2.0", **wanted}, back)
    if not words:
        assert refused is None
    else:
        assert refused is not None
        assert words in refused[0]
        assert refused[1]


def follow(home: Path, version: str, back: bool = False) -> Dict[str, Any]:
    return wire(Succession(str(home), version, "0.1.0", (1, 1), back))


def past(session: Session) -> List[str]:
    text: List[str] = json.loads((session.home / "versions.json").read_text())["past"]
    return text


def switch(session: Session, home: Path, version: str, back: bool = False) -> None:
    _, results, _ = session.apply([follow(home, version, back)])
    assert results[0]["status"] == "changed"
    lay(home, current=version)


def test_the_way_back_is_written_down_before_the_switch(session: Session, root: Path) -> None:
    lay(root, "0.1.0", "0.2.0", "0.3.0", current="0.1.0")
    session.apply([follow(root, "0.2.0")])
    assert past(session) == ["0.1.0"]
    # Cut here, before the link was swapped: the next run has nothing to write, and nothing to go back to yet.
    assert session.check([follow(root, "0.2.0")])["changes"] == []
    assert versions.describe(str(root), str(session.home))["past"] == []
    lay(root, current="0.2.0")
    switch(session, root, "0.3.0")
    assert past(session) == ["0.1.0", "0.2.0"]
    switch(session, root, "0.2.0", back=True)
    assert past(session) == ["0.1.0"]
    assert session.check([follow(root, "0.2.0")])["changes"] == []


def test_one_that_may_not_follow_stops_all_before_anything_is_touched(session: Session, root: Path) -> None:
    lay(root, "0.2.0", current="0.2.0")
    _, results, _ = session.apply([wire(Archive(str(root / "0.1.0"), tarball({"x": b""}))), follow(root, "0.1.0")])
    assert [result["status"] for result in results] == ["skipped", "failed"]
    assert results[1]["error"]["brief"] == "0.1.0 is older than 0.2.0, which is here"
    assert sorted(os.listdir(root)) == ["0.2.0", "current"]


def pruned(session: Session, home: Path, version: str, keep: int) -> List[str]:
    """What is left after a run."""
    wanted = [wire(Versions(str(home), version, keep))]
    plan = session.check(wanted)
    _, results, _ = session.apply(wanted)
    assert bool(plan["changes"]) == (results[0]["status"] == "changed")
    assert session.check(wanted)["changes"] == []
    return sorted(name for name in os.listdir(home) if name != "current")


def test_the_oldest_go_and_never_the_current_nor_the_one_before(session: Session, root: Path) -> None:
    lay(root, "0.1.0", "0.2.0", "0.3.0", "0.10.0", "0.4.0", current="0.2.0")
    switch(session, root, "0.1.0", back=True)
    session.home.joinpath("versions.json").write_text('{"past": ["0.2.0"]}')
    assert pruned(session, root, "0.1.0", 3) == ["0.1.0", "0.10.0", "0.2.0"]


def test_what_is_nobody_s_version_stays(session: Session, root: Path) -> None:
    lay(root, "0.1.0", "0.2.0", "0.3.0", current="0.3.0")
    (root / "notes").mkdir()
    lay(root, "odd", version="0.0.1")
    assert pruned(session, root, "0.3.0", 2) == ["0.2.0", "0.3.0", "notes", "odd"]


@pytest.mark.parametrize(
    ("version", "left"), [("0.1.0", ["0.1.0", "0.3.0", "0.4.0"]), ("current", ["0.1.0", "0.2.0", "0.3.0", "0.4.0"])]
)
def test_one_that_a_process_runs_stays(session: Session, root: Path, version: str, left: List[str]) -> None:
    lay(root, "0.1.0", "0.2.0", "0.3.0", "0.4.0", current="0.4.0")
    session.home.mkdir(mode=0o700)
    session.home.joinpath("versions.json").write_text('{"past": ["0.3.0"]}')
    with running(root, version):
        assert pruned(session, root, "0.4.0", 2) == left
    assert pruned(session, root, "0.4.0", 2) == ["0.3.0", "0.4.0"]


def test_what_is_known_of_a_version_goes_with_it(session: Session, root: Path) -> None:
    manifest = json.dumps({"name": "skiff", "version": "0.1.0", **SAYS}).encode()
    session.apply([wire(Archive(str(root / "0.1.0"), tarball({"manifest.json": manifest})))])
    assert len(os.listdir(session.home / "archives")) == 1
    lay(root, "0.2.0", "0.3.0", current="0.3.0")
    assert pruned(session, root, "0.3.0", 2) == ["0.2.0", "0.3.0"]
    assert os.listdir(session.home / "archives") == []


def test_a_cut_at_any_write_leaves_no_half_of_a_version(session: Session, root: Path) -> None:
    wanted = [wire(Link(str(root / "current"), "0.3.0")), wire(Versions(str(root), "0.3.0", 2))]
    for count in range(2, 60, 6):
        lay(root, *(name for name in ("0.1.0", "0.2.0", "0.3.0") if not (root / name).exists()), current="0.3.0")
        session.trap = count
        cut = not session.run("apply", wanted).of_type("done")
        session.trap = None
        assert not (root / "0.1.0").exists() or (root / "0.1.0" / "manifest.json").exists()
        session.apply(wanted)
        assert sorted(os.listdir(root)) == ["0.2.0", "0.3.0", "current"]
        if not cut:
            return
    raise AssertionError("it was cut to the end")


def test_an_archive_without_content_has_to_be_there_whole(session: Session, root: Path) -> None:
    path, known = str(root / "0.1.0"), wire(Archive(str(root / "0.1.0"), tarball({"x": b"1", "y": b"2"})))
    kept = wire(Archive(path, None))
    assert session.check([kept])["errors"][0]["error"]["brief"] == f"{path} is not here"
    session.apply([known])
    assert (session.check([kept])["changes"], session.check([kept])["errors"]) == ([], [])
    (root / "0.1.0" / "y").write_text("3")
    assert session.check([kept])["errors"][0]["error"] == {
        "brief": f"{path} is not as it was unpacked",
        "details": "changed: y",
        "resolution": archive.CURE,
    }


@pytest.mark.parametrize(("role", "told"), [("skiffd", "daemon"), ("launcher", "shim"), ("skiff", "client")])
def test_processes_tell_what_they_run(root: Path, role: str, told: str) -> None:
    with running(root, "0.1.0", role):
        assert versions.running(str(root)) == [(told, "0.1.0")]
    assert versions.running(str(root)) == []


def proc(root: Path, *processes: Tuple[str, str]) -> Path:
    for number, (words, name) in enumerate(processes, 100):
        (root / str(number)).mkdir(parents=True)
        (root / str(number) / "cmdline").write_text(words.replace(" ", "\0") + "\0")
        (root / str(number) / "comm").write_text(name + "\n")
    (root / "999").mkdir()  # it ends while it is looked at
    (root / "self").mkdir()
    return root


def test_the_description_of_a_host_is_what_its_text_alone_prints(root: Path, tmp_path: Path) -> None:
    home = root / "opt"
    lay(home, "0.1.0", "0.2.0", current="0.2.0")
    (root / "versions.json").write_text('{"past": ["0.1.0", "0.2.0"]}')
    main = f"{home}/0.2.0/skiff/__main__.py"
    place = proc(
        tmp_path / "proc",
        (f"/usr/bin/python3 -I -S {main} skiffd", "python3"),
        (f"/usr/bin/python3 -I {main} launcher /run/skiff", "skiff-launcher"),
        (f"/usr/bin/python3 -I {main} launcher /run/skiff", "skiff-waiting"),
        (f"/usr/bin/python3 -I {home}/0.1.0/skiff/__main__.py launcher /run/skiff", "skiff-shim"),
        (f"grep {main}", "grep"),
    )
    described = versions.describe(str(home), str(root), str(place))
    assert described == {
        "current": "0.2.0", "past": ["0.1.0"], "kept": {"0.1.0": SAYS, "0.2.0": SAYS},
        "daemon": ["0.2.0"], "launcher": ["0.2.0"], "shims": {"0.1.0": 1},
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-I", "-S", versions.__file__, str(home), str(root)], capture_output=True, text=True)
    assert json.loads(done.stdout) == {**described, "daemon": [], "launcher": [], "shims": {}}
