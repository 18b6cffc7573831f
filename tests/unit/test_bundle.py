"""The bundle: the same bytes from the same sources, on every Python; whole, and nothing of this machine in it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Dict, List

import pytest

from fleet import bundle, tarball
from fleet.content import Content
from fleet.errors import FleetError
from fleet.tarball import Entry
from tests.unit.agent import interpreters

ENTRIES = [
    Entry("bin/run", b"#!/bin/sh\n", 0o755),
    Entry("a/b/c.txt", b"x" * 70000),
    Entry("bin/link", mode=0o777, link="run"),
    Entry("tmp/"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what goes into the bundle, elsewhere, so that nobody edits it meanwhile."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("bin", "skiff"):
        shutil.copytree(bundle.ROOT / "runtime" / name, root / "runtime" / name, ignore=ignored)
    for name in ("LICENSE", "requirements.lock"):
        shutil.copy(bundle.ROOT / name, root / name)
    return root


def members(data: bytes) -> Dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr] # a file has bytes


def test_two_checkouts_give_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "copy"
    shutil.copytree(checkout, other)
    (other / "runtime" / "skiff" / "__pycache__").mkdir()
    (other / "runtime" / "skiff" / "__pycache__" / "x.pyc").write_bytes(b"made here")
    for path in other.rglob("*"):
        path.chmod(0o700)
    assert bundle.build(checkout) == bundle.build(other)


def test_a_changed_source_changes_them(checkout: Path) -> None:
    before = bundle.build(checkout)
    (checkout / "runtime" / "skiff" / "errors.py").write_text("# another\n")
    assert bundle.build(checkout) != before


def test_what_is_in_it(checkout: Path) -> None:
    found = members(bundle.build(checkout))
    assert {"bin/skiff", "bin/skiffd", "skiff/__init__.py", "vendor/h11/__init__.py", "LICENSE"} <= set(found)
    assert "vendor/h11-0.16.0.dist-info/licenses/LICENSE.txt" in found
    assert not [name for name in found if name.endswith(".pyc") or "RECORD" in name or "direct_url" in name]
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest["version"] == bundle.read_version(checkout)
    assert manifest["dependencies"] == {"h11": "0.16.0"}
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}


def test_dependencies_are_the_runtime_s() -> None:
    text = (bundle.ROOT / "runtime" / "pyproject.toml").read_text()
    (declared,) = re.findall(r"^dependencies = \[(.*)\]$", text, re.MULTILINE)
    assert re.findall(r'"([A-Za-z0-9_.-]+?)[>=<~! ]', declared) == list(bundle.DEPENDENCIES)


def test_a_second_build_leaves_the_file_alone(checkout: Path) -> None:
    told: List[str] = []
    first = bundle.bundle(told.append, checkout)
    before = first.path.stat()
    second = bundle.bundle(told.append, checkout)
    assert (second.sha256, first.path.stat().st_ino) == (first.sha256, before.st_ino)
    assert [line.split(":")[0] for line in told] == ["built", "unchanged"]
    assert Content.from_file(first.path) == first.content


def test_a_damaged_file_is_replaced(checkout: Path) -> None:
    made = bundle.bundle(lambda _: None, checkout)
    made.path.write_bytes(b"half")
    bundle.bundle(lambda _: None, checkout)
    assert Content.from_file(made.path) == made.content
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]


def test_a_version_that_cannot_be_told_is_refused(checkout: Path) -> None:
    (checkout / "runtime" / "skiff" / "__init__.py").write_text("VERSION = compute()\n")
    with pytest.raises(FleetError, match="version cannot be told"):
        bundle.build(checkout)


def test_tar_reads_what_is_written() -> None:
    data = tarball.gzip(tarball.tar(ENTRIES))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        found = {member.name: member for member in archive}
    assert list(found) == sorted(found)
    assert {member.mtime for member in found.values()} == {tarball.EPOCH}
    assert {(member.uid, member.gid, member.uname) for member in found.values()} == {(0, 0, "root")}
    assert (found["bin/run"].mode, found["a/b"].isdir(), found["tmp"].isdir()) == (0o755, True, True)
    assert (found["bin/link"].issym(), found["bin/link"].linkname) == (True, "run")


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200000])
def test_gzip_of_any_size(size: int) -> None:
    import gzip

    data = bytes(range(256)) * (size // 256 + 1)
    assert gzip.decompress(tarball.gzip(data[:size])) == data[:size]


@pytest.mark.parametrize("length", [99, 100, 101, 200])
def test_long_paths(length: int) -> None:
    path = "/".join(["d" * 49] * 4)[: length - 2] + "/f"
    with tarfile.open(fileobj=io.BytesIO(tarball.tar([Entry(path, b"x")]))) as archive:
        assert archive.getnames()[-1] == path


def test_a_path_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        tarball.tar([Entry("x" * 101, b"")])


def test_the_epoch_of_reproducible_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    with tarfile.open(fileobj=io.BytesIO(tarball.tar(ENTRIES))) as archive:
        assert {member.mtime for member in archive} == {1000}


@pytest.mark.parametrize("given", ["", "yesterday", "-1", "99999999999"])
def test_an_epoch_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(FleetError, match="SOURCE_DATE_EPOCH should be a number of seconds"):
        tarball.tar(ENTRIES)


PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from fleet import tarball
entries = [tarball.Entry("a/b", b"x" * 70000), tarball.Entry("c", mode=0o777, link="a/b"), tarball.Entry("d/")]
print(hashlib.sha256(tarball.gzip(tarball.tar(entries))).hexdigest())
"""


def test_every_python_writes_the_same_bytes() -> None:
    pythons = [path for name, path in interpreters.found().items() if name not in ("python3.6", "python3.7", "python3.8")]
    digests = {
        path: subprocess.run([path, "-c", PROGRAM, str(bundle.ROOT)], stdout=subprocess.PIPE, text=True, check=True).stdout
        for path in [sys.executable, *pythons]
    }
    assert len(set(digests.values())) == 1, digests
    # As of the first version: a change of this digest gives every bundle other bytes than its release has.
    assert set(digests.values()) == {"8fdc840a9a49cd7aafe57f96425dec12d1057657cc3c1e1a0ad5d940b309fda2\n"}
