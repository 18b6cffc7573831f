"""The provisioning benchmark at its smallest: one host, 50 ms, beside the hand-written ideal. Asserts only that both worked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.lab import lab as labs
from fleet.lab import machine

ROOT = Path(__file__).resolve().parents[2]


def test_one_host_beside_the_ideal(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        machine.check(labs.STATE)
    except FleetError as error:
        pytest.skip(str(error))
    words = ["--hosts", "1", "--rtt", "50", "--runs", "2", "--with", "Skiff,ideal", "--lab", "bench-test"]
    done = subprocess.run([sys.executable, "-m", "tests.bench.provision", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| no change | 1 | 50 ms | Skiff |" in done.stdout
    with capsys.disabled():
        sys.stdout.write("\n" + done.stdout)
