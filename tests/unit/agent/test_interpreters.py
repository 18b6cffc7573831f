"""The agent on every Python that is here: facts, and files, links and archives that converge."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.resources import Archive, Command, Directory, File, JsonFile, Link
from tests.unit.agent import interpreters
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, handler, wire


@pytest.mark.parametrize("name", interpreters.NAMES)
def test_converges_on(name: str, tmp_path: Path, root: Path, host: FakeHost) -> None:
    python = interpreters.found().get(name)
    if python is None:
        pytest.skip(f"{name} is not on this machine")
    session = Session(tmp_path, python=python, path=host.path)
    resources = [
        wire(Directory(str(root / "d\u00e9"), mode="0750")),
        wire(File(str(root / "d\u00e9" / "f\u00efle"), content("t\u00eaxt\n"), mode="0600")),
        wire(JsonFile(str(root / "j.json"), {"k\u00e9y": "v\u00e4lue"})),
        wire(Link(str(root / "l"), "d\u00e9/f\u00efle")),
        wire(Archive(str(root / "a"), tarball({"m.py": b"x = 1\n"}))),
        handler(Command("h", ("sh", "-c", f"echo ran >> {root}/h")), [f"link:{root}/l"]),
    ]
    plan, results, done = session.apply(resources)
    assert [change["id"] for change in plan["changes"]] == [result["id"] for result in results]
    assert done["changed"] == len(resources)
    assert session.stderr == ""
    assert (root / "l").read_text() == "t\u00eaxt\n"
    assert '"k\u00e9y": "v\u00e4lue"' in (root / "j.json").read_text()
    assert (root / "a" / "m.py").read_bytes() == b"x = 1\n"
    plan, results, done = session.apply(resources)
    assert plan["changes"] == []
    assert {result["status"] for result in results} == {"ok"}
    assert (root / "h").read_text() == "ran\n"


@pytest.mark.parametrize("name", interpreters.NAMES)
def test_says_what_it_runs_on(name: str, tmp_path: Path, host: FakeHost) -> None:
    python = interpreters.found().get(name)
    if python is None:
        pytest.skip(f"{name} is not on this machine")
    exchange = Session(tmp_path, python=python, path=host.path).start()
    facts = exchange.one("hello")["facts"]
    exchange.send({"type": "quit"})
    assert exchange.close() == ""
    assert facts["python"]["version"][:2] == [3, int(name.rpartition(".")[2])]
    assert facts["python"]["path"] == python
    assert {"path": python, "version": facts["python"]["version"]} in facts["pythons"]
