"""Output that cannot be written: told in one line, and not with success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENTRY = Path(__file__).parents[3] / "runtime" / "bin" / "skiff"


def test_a_full_device_is_told_without_a_traceback() -> None:
    with open("/dev/full", "wb") as full:
        environment = {**os.environ, "SKIFF_PYTHON": sys.executable}
        done = subprocess.run([str(ENTRY), "--help"], stdout=full, stderr=subprocess.PIPE, env=environment, timeout=30)
    assert (done.returncode, done.stderr) == (1, b"skiff: No space left on device\n")
