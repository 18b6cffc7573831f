"""What a command imports is what it costs: the modules that the hot path rule forbids must not come in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ENTRY = Path(__file__).parents[3] / "runtime" / "skiff" / "__main__.py"
FORBIDDEN = {
    "argparse",
    "asyncio",
    "dataclasses",
    "enum",
    "h11",
    "http",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "selectors",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "traceback",
    "typing",
    "urllib",
}
MODULES_AT_EXIT = """
import os, sys
def told(status, leave=os._exit):
    sys.stderr.write("modules: " + " ".join(sorted(sys.modules)))
    sys.stderr.flush()
    leave(status)
os._exit = told
sys.argv = sys.argv[1:]
{before}
runpy_free = compile(open(sys.argv[0]).read(), sys.argv[0], "exec")
exec(runpy_free, {{"__name__": "__main__", "__file__": sys.argv[0]}})
"""


def imported(arguments: list[str], before: str = "") -> set[str]:
    """The top-level modules that a run of the command has loaded by its end, beyond those of the interpreter itself."""
    program = MODULES_AT_EXIT.format(before=before)
    command = [sys.executable, "-I", "-S", "-c", program, str(ENTRY), "skiff", "-H", "unix:///nowhere/skiff.sock", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "modules: " in done.stderr, done.stderr
    return {name.partition(".")[0] for name in done.stderr.rpartition("modules: ")[2].split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["version", "--format", "json"],
        ["run", "--rm", "-m", "32m", "--network", "none", "busybox", "true"],
        ["ps"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_the_forbidden_modules_stay_out(arguments: list[str]) -> None:
    loaded = imported(arguments)
    assert not loaded & FORBIDDEN
    assert "skiff" in loaded


@pytest.mark.parametrize("name", sorted(FORBIDDEN - {"h11"}))
def test_the_detector_sees_each_of_them(name: str) -> None:
    assert name in imported(["--version"], before=f"import {name}")
