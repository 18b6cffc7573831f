"""The stages of `invoke lint`, `test`, `test.long` and `test.vm`: what each runs, and how they are run one after the other.

Every stage runs even after a failed one; the summary at the end names all that failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
OLDEST = "3.9"


@dataclass(frozen=True)
class Stage:
    """Commands run in order; the stage passes if all exit 0."""

    name: str
    commands: Tuple[Tuple[str, ...], ...]


def tool(name: str) -> str:
    """A program of the environment that runs us."""
    return str(Path(sys.executable).with_name(name))


def pytest(*arguments: str, python: str = sys.executable) -> Tuple[str, ...]:
    """A pytest run's command line; the longest tests are named, so that a budget overrun shows where."""
    return (python, "-m", "pytest", "-q", "--durations=5", *arguments)


LINT = Stage(
    "lint",
    (
        (tool("ruff"), "format", "--check", "--quiet", "."),
        (tool("ruff"), "check", "--quiet", "."),
        (tool("vermin"), "--quiet", "--no-tips", "--violations", "-t=3.6-", "fleet/agent", "fleet/puller"),
        (tool("vermin"), "--quiet", "--no-tips", "--violations", "--eval-annotations", "-t=3.9-", "runtime"),
    ),
)
TYPES = Stage("types", ((tool("mypy"),),))
ARCHITECTURE = Stage("architecture", (("env", f"PYTHONPATH={ROOT / 'runtime'}", tool("lint-imports"), "--no-cache"),))
UNIT = Stage("unit", (pytest("tests/unit"),))
KERNEL = Stage("root", (pytest("tests/root"),))
LAB = Stage("lab", (pytest("tests/lab", "-m", "lab and not long"),))
CONTRACT = Stage("contract", (pytest("tests/contract", "-m", "contract and not long"),))
LONG = Stage("long", (pytest("tests/lab", "tests/contract", "-m", "long"),))
VM = Stage("vm", (pytest("tests/vm"),))


def find_oldest() -> Optional[str]:
    """The oldest Python that the suite supports, on PATH or among pyenv's, if this machine has it."""
    found = shutil.which(f"python{OLDEST}")
    if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
        return found
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return None
    root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
    candidates = sorted(Path(root, "versions").glob(f"{OLDEST}.*/bin/python{OLDEST}"))
    return str(candidates[-1]) if candidates else None


def oldest_environment(interpreter: str) -> Path:
    """An environment of the locked packages for the oldest Python, made again when the lock changes."""
    home, lock = ROOT / f".venv-{OLDEST}", ROOT / "requirements.lock"
    stamp, python = home / "lock.stamp", home / "bin" / "python"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return python
    print(f"making {home.name} from {lock.name}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", str(home)], check=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)], check=True
    )
    shutil.copyfile(lock, stamp)
    return python


def oldest_stages() -> List[Stage]:
    """The unit and root tests on the oldest Python; none, and said so, where it is not here."""
    interpreter = find_oldest()
    if interpreter is None:
        print(f"Python {OLDEST} is not on this machine: unit and root tests run on {sys.version.split()[0]} alone", flush=True)
        return []
    python = str(oldest_environment(interpreter))
    return [Stage(f"{name} on {OLDEST}", (pytest(f"tests/{name}", python=python),)) for name in ("unit", "root")]


def all_stages() -> List[Stage]:
    """What `invoke test` runs."""
    return [LINT, TYPES, ARCHITECTURE, UNIT, KERNEL, *oldest_stages(), LAB, CONTRACT]


def run(stages: Sequence[Stage], clock: Callable[[], float] = time.monotonic) -> bool:
    """Run the stages with their output passed through; a summary closes. True if all passed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    rows = []
    for stage in stages:
        print(f"\n=== {stage.name} ===", flush=True)
        begun = clock()
        passed = all(subprocess.run(command, cwd=ROOT, env=environment).returncode == 0 for command in stage.commands)
        rows.append((stage.name, passed, clock() - begun))
    print("\n=== summary ===")
    for name, passed, seconds in rows:
        print(f"{'passed' if passed else 'FAILED'}  {seconds:7.1f} s  {name}")
    return all(passed for _, passed, _ in rows)
