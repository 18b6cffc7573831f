from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fleet.lab import cache

ROOT = Path(__file__).resolve().parents[3]
# Builds half of the thing, then dies by SIGKILL; its child goes on for as long as a file is there, and holds the lock.
DYING_BUILDER = """
import os, signal, subprocess, sys
from pathlib import Path
from fleet.lab import cache

def build(aside, fd):
    (aside / "half").write_text("half")
    child = 'while [ -e "$0" ]; do sleep 0.02; done'
    subprocess.Popen(["sh", "-c", child, sys.argv[2]], pass_fds=[fd])
    os.kill(os.getpid(), signal.SIGKILL)

cache.obtain(Path(sys.argv[1]), "thing", "1", build)
"""


def test_a_thing_is_built_once(tmp_path: Path) -> None:
    builds = []

    def build(aside: Path, _fd: int) -> None:
        builds.append(aside.name)
        (aside / "made").write_text("made")

    for _ in range(2):
        place = cache.obtain(tmp_path, "thing", "1", build)
        assert (place / "made").read_text() == "made"
    assert builds == [".thing-1"]
    cache.obtain(tmp_path, "thing", "2", build)
    assert builds == [".thing-1", ".thing-2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "thing-1", "thing-2"]


def test_two_at_a_time_build_it_once(tmp_path: Path) -> None:
    builds = []

    def build(aside: Path, _fd: int) -> None:
        builds.append(aside)
        time.sleep(0.05)

    threads = [threading.Thread(target=cache.obtain, args=(tmp_path, "thing", "1", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1


def test_a_failed_build_leaves_no_thing(tmp_path: Path) -> None:
    def fail(aside: Path, _fd: int) -> None:
        (aside / "half").write_text("half")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        cache.obtain(tmp_path, "thing", "1", fail)
    assert not (tmp_path / "thing-1").exists()
    place = cache.obtain(tmp_path, "thing", "1", lambda aside, _fd: (aside / "whole").touch())
    assert [path.name for path in place.iterdir()] == ["whole"]


def test_a_killed_build_is_built_anew_once_its_programs_have_ended(tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.touch()
    argv = [sys.executable, "-c", DYING_BUILDER, str(tmp_path / "cache"), str(running)]
    assert subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode == -9
    still_running = []

    def build(aside: Path, _fd: int) -> None:
        still_running.append(running.exists())
        (aside / "whole").touch()

    waiting = threading.Thread(target=cache.obtain, args=(tmp_path / "cache", "thing", "1", build))
    waiting.start()
    time.sleep(0.1)
    running.unlink()
    waiting.join()
    assert still_running == [False]
    assert [path.name for path in (tmp_path / "cache" / "thing-1").iterdir()] == ["whole"]


def test_what_nobody_used_for_long_makes_room(tmp_path: Path) -> None:
    for key in ("old", "recent"):
        cache.obtain(tmp_path, "thing", key, lambda _aside, _fd: None)
    long_ago = time.time() - cache.UNUSED_SECONDS - 60
    os.utime(tmp_path / "thing-old", (long_ago, long_ago))
    cache.obtain(tmp_path, "thing", "new", lambda _aside, _fd: None)
    assert sorted(path.name for path in tmp_path.glob("thing-*")) == ["thing-new", "thing-recent"]


def test_a_digest_follows_values_and_the_contents_of_files(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text("one")
    first = cache.digest(("bash",), recipe)
    assert cache.digest(("bash",), recipe) == first
    assert cache.digest(("dash",), recipe) != first
    recipe.write_text("two")
    assert cache.digest(("bash",), recipe) != first
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
