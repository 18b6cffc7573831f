"""The repository and its test runner as one archive, to run tests on another host, which needs nothing but Python."""

from __future__ import annotations

import importlib.metadata
import io
import shlex
import subprocess
import tarfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SOURCES = ("runtime", "tests", "fleet", "roles", "pyproject.toml")
PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


def pack() -> bytes:
    """A tar.gz: skiff/ is what git tracks, as it is in the working tree; site/ is pytest, as this interpreter has it."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", *SOURCES], cwd=REPOSITORY, capture_output=True, check=True).stdout
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name in listed.decode().split("\0"):
            if name and (REPOSITORY / name).exists():
                tar.add(REPOSITORY / name, f"skiff/{name}")
        for package in PACKAGES:
            for file in importlib.metadata.files(package) or ():
                if file.suffix != ".pyc" and not file.parts[0].startswith(".."):
                    tar.add(str(file.locate()), f"site/{file}")
    return buffer.getvalue()


def command(directory: str, *arguments: str) -> str:
    """A shell command that runs tests of the archive unpacked there; one that skips fails, as in CI."""
    words = shlex.join(["python3", "-m", "pytest", "-q", *arguments])
    return f"cd {directory}/skiff && CI=1 PYTHONPATH={directory}/site PYTHONDONTWRITEBYTECODE=1 {words}"
