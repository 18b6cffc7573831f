"""An archive is unpacked as a whole, checked file by file, and swapped into place."""

from __future__ import annotations

import os
import stat
import sys
import tarfile
from pathlib import Path
from typing import Callable

import pytest

from fleet.content import Content
from fleet.resources import Archive, File
from tests.unit.agent.driver import Session
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, wire

FILES = {"bin/run": b"#!/bin/sh\n", "pkg/__init__.py": b"x = 1\n", "pkg/deep/data": b"\0" * 5000}


def test_unpacks_with_modes_links_and_no_litter(session: Session, root: Path) -> None:
    session.apply(
        [wire(Archive(str(root / "a"), tarball(FILES, {"pkg/up": "../bin/run"}), links={"bin/python": "/usr/bin/python3"}))]
    )
    for name, text in FILES.items():
        assert (root / "a" / name).read_bytes() == text
    assert stat.S_IMODE((root / "a/bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "a/pkg/deep/data").stat().st_mode) == 0o644
    assert (root / "a/pkg/up").resolve() == root / "a/bin/run"
    assert os.readlink(root / "a/bin/python") == "/usr/bin/python3"
    assert os.listdir(root) == ["a"]


def damage_content(a: Path) -> None:
    (a / "pkg/__init__.py").write_bytes(b"x = 2\n")


def damage_mode(a: Path) -> None:
    (a / "bin/run").chmod(0o777)


def damage_missing(a: Path) -> None:
    (a / "pkg/deep/data").unlink()


def damage_stray(a: Path) -> None:
    (a / "pkg/stray.py").write_text("")


def damage_byte_code(a: Path) -> None:
    next((a / "pkg/__pycache__").glob("*.pyc")).write_bytes(b"evil")


def damage_type(a: Path) -> None:
    (a / "bin/run").unlink()
    (a / "bin/run").symlink_to("/bin/true")


@pytest.mark.parametrize("damage", [damage_content, damage_mode, damage_missing, damage_stray, damage_byte_code, damage_type])
def test_every_drift_is_seen_and_mended(session: Session, root: Path, damage: Callable[[Path], None]) -> None:
    python = sys.executable if damage is damage_byte_code else None
    wanted = [wire(Archive(str(root / "a"), tarball(FILES), compile_with=python))]
    session.apply(wanted)
    assert session.check(wanted)["changes"] == []
    damage(root / "a")
    plan, _, _ = session.apply(wanted)
    told = {"missing": "missing: pkg/deep/data", "stray": "stray: pkg/stray.py", "content": "changed: pkg/__init__.py"}
    summary = plan["changes"][0]["summary"]
    assert summary.startswith(f"unpack {root}/a anew: " + told.get(damage.__name__.rpartition("_")[2], "changed: "))
    assert session.check(wanted)["changes"] == []
    assert (root / "a/pkg/__init__.py").read_bytes() == FILES["pkg/__init__.py"]


def test_byte_code_of_another_interpreter_is_no_drift(session: Session, root: Path) -> None:
    wanted = [wire(Archive(str(root / "a"), tarball(FILES), compile_with=sys.executable))]
    session.apply(wanted)
    compiled = next((root / "a/pkg/__pycache__").glob("*.pyc"))
    assert compiled.read_bytes()[4:8] == b"\x01\0\0\0"  # hash-based, unchecked
    assert os.fsencode(root / "a/pkg/__init__.py") in compiled.read_bytes()
    (compiled.parent / "__init__.cpython-36.pyc").write_bytes(b"by another")
    (compiled.parent / "skiff-oci.cpython-36.kept").write_bytes(b"what a command keeps")
    assert session.check(wanted)["changes"] == []
    (compiled.parent.parent / "skiff-oci.cpython-36.kept").write_bytes(b"elsewhere it is a stray")
    assert "stray: pkg/skiff-oci" in session.check(wanted)["changes"][0]["diff"]


def test_the_runtime_keeps_its_byte_code_as_it_is_unpacked(session: Session, root: Path) -> None:
    runtime = b"import os, sys; open(os.path.dirname(__file__) + '/__pycache__/' + sys.argv[1] + '.kept', 'w').close()"
    wanted = [wire(Archive(str(root / "a"), tarball({"skiff/__main__.py": runtime}), compile_with=sys.executable))]
    session.apply(wanted)
    assert (root / "a/skiff/__pycache__/bytecode.kept").exists()
    (root / "a/skiff/__pycache__/bytecode.kept").write_bytes(b"changed")
    assert "changed: skiff/__pycache__/bytecode.kept" in session.check(wanted)["changes"][0]["diff"]


def test_another_archive_replaces_all(session: Session, root: Path) -> None:
    session.apply([wire(Archive(str(root / "a"), tarball(FILES)))])
    _, results, _ = session.apply([wire(Archive(str(root / "a"), tarball({"only": b"1"})))])
    assert "sha256:" in results[0]["diff"]
    assert os.listdir(root / "a") == ["only"]
    assert os.listdir(root) == ["a"]


def test_a_directory_of_unknown_origin_is_replaced(session: Session, root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "x").write_text("")
    session.apply([wire(Archive(str(root / "a"), tarball(FILES)))])
    assert not (root / "a/x").exists()


def device() -> tarfile.TarInfo:
    member = tarfile.TarInfo("null")
    member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize(
    "hostile",
    [
        tarball({"../out": b""}),
        tarball({"/abs": b""}),
        tarball({"a/../../out": b""}),
        tarball({}, {"link": "../out"}),
        tarball({}, {"link": "/etc"}),
        tarball({"x": b""}, {"d": "."}, [device()]),
        Content.of(b"not a tar"),
        Content.of(b"".join(tarball({"noise": os.urandom(5000)}).chunks())[:2000]),
    ],
)
def test_hostile_archives_leave_nothing(session: Session, root: Path, hostile: Content) -> None:
    _, results, _ = session.apply([wire(Archive(str(root / "a"), hostile))])
    assert results[0]["status"] == "failed"
    assert results[0]["error"]["brief"].startswith("the archive")
    assert os.listdir(root) == []
    assert not (root.parent / "out").exists()


def test_a_file_may_be_laid_into_the_directory_to_come(session: Session, root: Path) -> None:
    resources = [wire(Archive(str(root / "a"), tarball(FILES))), wire(File(str(root / "a/pkg/__pycache__/mine"), content("")))]
    plan = session.check(resources)
    assert len(plan["changes"]) == 2
    assert plan["errors"] == []


def test_compile_with_a_missing_interpreter(session: Session, root: Path) -> None:
    _, results, _ = session.apply([wire(Archive(str(root / "a"), tarball(FILES), compile_with="/no/python3"))])
    assert "/no/python3 is not installed" in results[0]["error"]["details"]
    assert os.listdir(root) == []
