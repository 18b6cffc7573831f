"""Invoke is started without what only its tests need, and nothing else notices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WATCH = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from fleet.start import load
load()
import invoke.main
print("asyncio" in sys.modules, "unittest" in sys.modules)
from unittest.mock import Mock
print(Mock(return_value=3)(), "asyncio" in sys.modules)
"""


def test_invoke_starts_without_asyncio_and_the_real_mocks_are_there_afterwards() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", WATCH, str(ROOT)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False False\n3 True\n", "")


def test_the_tasks_are_listed() -> None:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'inv'; from fleet.start import main; main()"
    argv = [sys.executable, "-I", "-c", code, str(ROOT), "--search-root", str(ROOT), "--list"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0
    assert "provision" in done.stdout
