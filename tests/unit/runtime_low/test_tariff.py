"""What the launcher and skiff-oci import is what they cost, and what a forked init must not import any more."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from skiff.linux import sealed

ENTRY = Path(__file__).parents[3] / "runtime" / "skiff" / "__main__.py"
FORBIDDEN = frozenset(
    (
        "argparse", "asyncio", "dataclasses", "h11", "http", "inspect", "logging", "pathlib", "pyroute2", "shutil", "subprocess",
        "tempfile", "threading", "typing", "urllib",
    )
)  # fmt: skip
# The standard library's, but slow to load: half of what a container's start would take.
SLOW = frozenset(("collections", "contextlib", "enum", "functools", "json", "re", "signal", "socket", "traceback"))
STARTING = ("launcher", "create", "run", "delete", "start", "exec")
PROGRAM = """
import os, sys
def told(status, leave=os._exit):
    sys.stderr.write("modules: " + " ".join(sorted(sys.modules)))
    sys.stderr.flush()
    leave(status)
os._exit = told
sys.argv = sys.argv[1:]
{before}
source = open(sys.argv[0]).read()
exec(compile(source, sys.argv[0], "exec"), {{"__name__": "__main__", "__file__": sys.argv[0]}})
"""


def imported(arguments: list[str], before: str = "") -> set[str]:
    """The top-level modules that a run has loaded by its end; run sealed, as whatever enters containers is."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()  # a launcher ends when nobody is left to ask
    interpreter = sealed.interpreter()
    read, write = os.pipe()
    command = [sys.executable, "-I", "-S", "-c", PROGRAM.format(before=before), str(ENTRY), *arguments]
    actions = [(os.POSIX_SPAWN_DUP2, write, 2), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
    pid = os.posix_spawn(f"/proc/self/fd/{interpreter}", command, dict(os.environ), file_actions=actions)
    os.close(write)
    os.close(interpreter)
    theirs.close()
    with open(read, encoding="utf-8") as errors:
        said = errors.read()
    os.waitpid(pid, 0)
    assert "modules: " in said, said
    return {name.partition(".")[0] for name in said.rpartition("modules: ")[2].split()}


def commands(path: Path) -> list[list[str]]:
    root = ["skiff-oci", "--root", str(path / "oci")]
    rows = (
        "state x",
        "list",
        f"create -b {path} x",
        "run x",
        "delete --force x",
        "kill x 9",
        "start x",
        "pause x",
        "ps x",
        "update x",
        "events x",
        "exec x true",
        "features",
    )
    return [["launcher", str(path)], *([*root, *row.split()] for row in rows)]


COMMANDS = ("state", "list", "create", "run", "delete", "kill", "start", "pause", "ps", "update", "events", "exec", "features")


@pytest.mark.parametrize("index", range(14), ids=["launcher", *COMMANDS])
def test_the_forbidden_modules_stay_out(tmp_path: Path, index: int) -> None:
    loaded = imported(commands(tmp_path)[index])
    assert not loaded & FORBIDDEN
    assert "skiff" in loaded
    if ("launcher", *COMMANDS)[index] in STARTING:
        assert not loaded & SLOW


@pytest.mark.parametrize("name", sorted(FORBIDDEN - {"h11", "pyroute2"} | SLOW))
def test_the_detector_sees_each_of_them(name: str) -> None:
    assert name in imported(["skiff-oci", "--version"], before=f"import {name}")
