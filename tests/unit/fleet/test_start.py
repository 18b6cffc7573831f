"""Invoke is started without what it does not need, and nothing else notices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Tuple

import pytest

from fleet.start import load

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
    done = inv("--list")
    assert done.returncode == 0
    assert "provision" in done.stdout


def inv(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'inv'; from fleet.start import main; main()"
    argv = [sys.executable, "-I", "-c", code, str(ROOT), "--search-root", str(ROOT), *words]
    return subprocess.run(argv, capture_output=True, text=True, cwd="/", timeout=60)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("provision", "--help"), 0, "--lock-timeout"),
        (("--help", "inventory.list"), 0, "--inventory"),
        (("--complete", "--", "inv provision --lock"), 0, "--lock-timeout"),
        (("--complete", "--", "inv "), 0, "inventory.graph"),
        (("provisio",), 1, "there is no task provisio\n  -> do you mean provision? ./inv --list shows them all\n"),
        (
            ("provision", "--host", "all"),
            1,
            "provision: there is no option --host\n  -> do you mean --hosts? ./inv provision --help",
        ),
        (("provision", "--lock-timeout"), 1, "provision: --lock-timeout has no value after it"),
        (("provision", "all"), 1, "provision: what is 'all' to be?"),
        (("images.push",), 1, "images.push: which archive?"),
        (("images.push", "--hosts", "all", "/nowhere.tar"), 1, "/nowhere.tar: there is no such file"),
        (("images.push", "/nowhere.tar", "--hosts=all"), 1, "/nowhere.tar: there is no such file"),
        (("logs", "--tail", "3"), 1, "logs: which container?"),
        (("lab.ssh", "--help"), 0, "The host's name."),
        (("inventory.list", "--inventory", "/nowhere"), 1, "cannot be read"),
    ],
)
def test_options_are_known_for_the_tasks_that_are_named(words: Tuple[str, ...], status: int, said: str) -> None:
    done = inv(*words)
    assert done.returncode == status
    assert said in done.stdout + done.stderr


def test_invoke_copies_the_options_of_no_other_task() -> None:
    load()
    from fleet.tasks.program import Tasks

    program = Tasks()
    program.create_config()
    program.parse_core(["inv", "--search-root", str(ROOT), "provision", "--hosts", "web1"])
    program.parse_collection()
    program.parse_tasks()
    assert list(program.parser.contexts) == ["provision"]
    assert len(program.collection.task_names) > 20


def test_what_ends_at_once_has_written_all_and_done_what_is_due_at_its_end(tmp_path: Path) -> None:
    code = f"""
import atexit, sys
sys.path.insert(0, {str(ROOT)!r})
from fleet import start
atexit.register(lambda: print("at exit"))
print("x" * 100000)
start.leave(3)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, len(done.stdout)) == (3, 100009)


def test_a_thread_that_is_left_is_waited_for() -> None:
    code = f"""
import sys, threading
sys.path.insert(0, {str(ROOT)!r})
from fleet import start
threading.Timer(0.2, lambda: print("done")).start()
start.leave(3)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout == "done\n"
