"""The Pythons of this machine, found by name on PATH and in pyenv's root: the agent must run on each from 3.6 to 3.13."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Mapping

NAMES = tuple(f"python3.{minor}" for minor in range(6, 14))


@functools.cache
def found() -> Mapping[str, str]:
    """The real path of an interpreter for each minor version that is here."""
    interpreters = {}
    for name in NAMES:
        for path in _candidates(name):
            if _works(path):
                interpreters[name] = path
                break
    return interpreters


def _candidates(name: str) -> Iterator[str]:
    pyenv = shutil.which("pyenv")
    if pyenv:
        root = Path(subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True).stdout.strip())
        version = name.replace("python", "")
        for folder in sorted((root / "versions").glob(f"{version}.*")):
            yield str(folder / "bin" / "python3")
    for folder_name in os.environ["PATH"].split(os.pathsep):
        yield os.path.join(folder_name, name)


def _works(path: str) -> bool:
    return os.access(path, os.X_OK) and subprocess.run([path, "-IS", "-c", ""], capture_output=True).returncode == 0
