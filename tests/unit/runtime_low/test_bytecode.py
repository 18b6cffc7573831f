"""A command's modules are taken from one file, as long as that is what their sources say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from skiff import VERSION

RUNTIME = Path(__file__).parents[3] / "runtime"
# Tells at the end which of Skiff's modules were found by whom.
PROGRAM = """
import os, sys
def leave(status, leave=os._exit):
    kept = sorted(name for name, module in sys.modules.items() if type(getattr(module, "__loader__", None)).__name__ == "Bytecode")
    sys.stderr.write("kept: " + " ".join(kept))
    sys.stderr.flush()
    leave(status)
os._exit = leave
sys.argv = sys.argv[1:]
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"), {"__name__": "__main__", "__file__": sys.argv[0]})
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The runtime's sources, never compiled, and older than a file system's clock can confuse."""
    shutil.copytree(RUNTIME / "skiff", tmp_path / "skiff", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(tree: Path, *arguments: str) -> List[str]:
    """The modules that came out of the one file; asserts that the command did its work."""
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, f"{tree}/skiff/__main__.py", "skiff-oci", *(arguments or ("--version",))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert VERSION in done.stdout
    return done.stderr.rpartition("kept: ")[2].split()


def kept(tree: Path) -> Path:
    (found,) = (tree / "skiff/__pycache__").glob("skiff-oci.*")
    return found


def test_the_first_run_writes_and_the_second_reads(tree: Path) -> None:
    assert run(tree) == []
    written = kept(tree).read_bytes()
    again = run(tree)
    assert {"skiff.cli", "skiff.cli.oci", "skiff.errors"} <= set(again)
    assert kept(tree).read_bytes() == written
    assert kept(tree).stat().st_mode & 0o022 == 0


def test_another_command_adds_its_modules(tree: Path) -> None:
    run(tree)
    before = set(run(tree, "features"))
    after = set(run(tree, "features"))
    assert "skiff.cli.oci.features" in after - before
    assert before <= after


def test_a_source_that_changed_is_compiled_anew(tree: Path) -> None:
    run(tree)
    source = tree / "skiff/cli/oci/dispatch.py"
    text = source.read_text()
    assert "from skiff import VERSION\n" in text
    source.write_text(text.replace("from skiff import VERSION\n", 'VERSION = "changed"\n'))
    command = [sys.executable, "-I", "-S", f"{tree}/skiff/__main__.py", "skiff-oci", "--version"]
    for _ in range(2):
        assert "changed" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    source.write_text(text)
    assert "skiff.cli.oci.dispatch" not in run(tree)
    assert "skiff.cli.oci.dispatch" in run(tree)


def test_byte_code_that_is_never_checked_is_not_checked_here(tree: Path) -> None:
    """As a host has it: the deployed tree's digests are compared by every provision instead."""
    compiling = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(tree)]
    subprocess.run([sys.executable, "-I", *compiling], check=True)
    run(tree)
    os.utime(tree / "skiff/errors.py", (1, 1))
    assert "skiff.errors" in run(tree)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"nonsense", "cut"])
def test_a_file_that_is_none_is_written_anew(tree: Path, content: bytes | str) -> None:
    run(tree)
    whole = kept(tree).read_bytes()
    kept(tree).write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    assert run(tree) == []
    assert "skiff.errors" in run(tree)


def test_without_room_for_it_all_goes_on(tree: Path) -> None:
    """A directory in its place stops root as a read-only file system would."""
    run(tree)
    place = kept(tree)
    place.unlink()
    place.mkdir()
    assert run(tree) == []
    assert [path.name for path in (tree / "skiff/__pycache__").glob("skiff-oci.*")] == [place.name]


def test_a_module_whose_byte_code_is_spoiled_is_compiled_anew(tree: Path) -> None:
    run(tree)
    whole = kept(tree).read_bytes()
    middle = len(whole) // 2
    kept(tree).write_bytes(whole[:middle] + b"\0" * 4096 + whole[middle + 4096 :])
    read = set(run(tree))
    assert read < set(run(tree))


def test_an_unpacked_bundle_is_kept_once_and_then_left_alone(tree: Path) -> None:
    """As the agent does it: no command on a host changes a file, whether what it needs was kept or not."""
    (tree / "vendor").mkdir()
    assert run(tree) == []
    assert not list((tree / "skiff/__pycache__").glob("*.kept"))
    subprocess.run([sys.executable, "-I", "-S", str(tree / "skiff/__main__.py"), "bytecode"], check=True)
    written = kept(tree).read_bytes()
    assert "skiff.cli.oci.dispatch" in run(tree)
    assert run(tree, "features") != []
    assert kept(tree).read_bytes() == written
    for name in (b"skiff.cli.oci.create", b"skiff.cli.oci.start", b"skiff.oci.init", b"skiff.cgroup.v1", b"skiff.cgroup.v2"):
        assert name in written
