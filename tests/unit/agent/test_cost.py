"""What a run without changes costs a host: a fixed, small number of programs, however many resources there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Set

import pytest

from fleet import bootstrap
from fleet.resources import Archive, Command, Directory, File, JsonFile, Link, Package, Resource, Succession, Unit
from tests.unit.agent import interpreters
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, handler, wire

# What an agent's start may import beside what the interpreter itself has. No `re`, `json`, `enum`, `collections`, `functools`,
# `contextlib`, `hashlib`, `signal`, `struct`, `subprocess`, `typing`: each of them takes as long as a good part of the agent.
LEAN = {
    *("_collections_abc", "_stat", "genericpath", "os", "posixpath", "stat"),
    *("_json", "_sha2", "_sha256", "_signal", "_socket", "binascii", "errno", "fcntl", "gc", "select", "time", "zlib"),
}
IMPORTED = re.compile(r"^import time: +[0-9]+ [|] +[0-9]+ [|] +(\S+)$", re.MULTILINE)
OPENS = """
import os, sys
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        os.write(2, ("open %s\\n" % arguments[0]).encode())
sys.addaudithook(note)
"""


def many(root: Path, host: FakeHost) -> List[Dict[str, Any]]:
    resources: List[Dict[str, Any]] = []
    for number in range(6):
        host.unit(f"u{number}.service", active="active", enabled="enabled")
        resources.append(wire(File(str(root / str(number)), content("x"))))
        resources.append(wire(Package((f"p{number}", f"q{number}"))))
        resources.append(wire(Unit(f"u{number}.service", enabled=True, active=True, restart_on=(f"file:{root}/{number}",))))
        resources.append(handler(Command(f"h{number}", ("false",)), [f"file:{root}/none"]))
    return resources


def test_three_programs_for_twenty_four_resources(session: Session, host: FakeHost, root: Path) -> None:
    host.update(installed=[f"{letter}{number}" for letter in "pq" for number in range(6)])
    resources = many(root, host)
    session.apply(resources)
    host.calls()
    host.update()  # else the packages may be remembered
    _, results, done = session.apply(resources)
    calls = host.calls()
    assert [call[:2] for call in calls] == [["rpm", "-q"], ["systemctl", "show"], ["systemctl", "is-enabled"]]
    assert {result["status"] for result in results} == {"ok"}
    assert done["changed"] == 0


def test_nothing_is_written_but_the_record(session: Session, host: FakeHost, root: Path) -> None:
    resources = [wire(File(str(root / "x"), content("x")))]
    session.apply(resources)

    def seen() -> Dict[str, int]:
        found = [*session.home.rglob("*"), *root.rglob("*")]
        return {str(path): path.lstat().st_mtime_ns for path in found if path.name != "last-run.json" and path != session.home}

    before = seen()
    session.apply(resources)
    assert seen() == before


def imported(said: str) -> Set[str]:
    return set(IMPORTED.findall(said))


def everything(root: Path) -> List[Resource]:
    return [
        Directory(str(root / "d"), mode="0750"),
        File(str(root / "d" / "f"), content("text\n"), mode="0600"),
        JsonFile(str(root / "j.json"), {"log-level": "info", "data": {"a": [1, 2.5, None]}}),
        Link(str(root / "l"), "d/f"),
        Link(str(root / "current"), "0.1.0"),
        Succession(str(root), "0.1.0", "0.1.0", (1, 1)),
        Archive(str(root / "a"), tarball({"m.py": b"x = 1\n"})),
        Package(("p",)),
        Unit("u.service", enabled=True, active=True),
    ]


@pytest.mark.parametrize("name", interpreters.NAMES[1:])  # 3.6 does not tell what it imports
def test_a_run_without_changes_imports_little(name: str, tmp_path: Path, root: Path, host: FakeHost) -> None:
    python = interpreters.found().get(name)
    if python is None:
        pytest.skip(f"{name} is not on this machine")
    host.update(installed=["p"])
    host.unit("u.service", active="active", enabled="enabled")
    session = Session(tmp_path, python=python, path=str(host.bin))  # another Python would be asked for its version
    session.options = ("-ISB", "-X", "importtime")
    bare = imported(subprocess.run([python, *session.options, "-c", ""], stderr=subprocess.PIPE, text=True).stderr)
    assert "encodings" in bare
    resources = [wire(each) for each in everything(root)]
    session.apply(resources)
    assert {"re", "json", "hashlib"} <= imported(session.stderr)  # so a run with changes is seen to import them
    _, _, done = session.apply(resources)
    assert done["changed"] == 0
    own = {each for each in imported(session.stderr) if each.split(".")[0] == "fleet"}
    assert imported(session.stderr) - bare - own <= LEAN
    changing = {"backup", "dnf", "ledger", "masked", "original", "question", "redaction"}
    assert not {each.rpartition(".")[2] for each in own} & (changing - {"backup", "dnf"})


def opened(session: Session, resources: List[Dict[str, Any]]) -> List[str]:
    """The files that a run without changes opens, the interpreter's own left out."""
    session.apply(resources)
    session.before = OPENS
    _, _, done = session.apply(resources)
    session.before = ""
    assert done["changed"] == 0
    return [line.partition(" ")[2] for line in session.stderr.splitlines() if line.startswith("open ")]


def test_each_file_more_is_opened_once_and_the_agents_text_not_at_all(session: Session, root: Path) -> None:
    files = [wire(File(str(root / str(number)), content("x"))) for number in range(8)]
    few, many = opened(session, files[:2]), opened(session, files)
    assert len([path for path in many if path.startswith(str(root))]) == 8
    assert len(many) == len(few) + 6
    own = [path for path in many if path.startswith(str(session.home))]
    assert [path for path in own if bootstrap.program().sha256 in path and "cpython" in path]
    assert str(session.home / bootstrap.program().sha256) not in own
    assert len(own) <= 5, own  # the code, what is owed, the record and its directory
