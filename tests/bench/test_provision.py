"""The provisioning benchmark at its smallest: one host, 50 ms, beside the hand-written ideal. Asserts only that both worked.

And the account that it keeps of a command: the command's own, whoever began it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.lab import lab as labs
from fleet.lab import machine

ROOT = Path(__file__).resolve().parents[2]


def test_the_account_is_of_the_command_and_not_of_who_began_it() -> None:
    held = bytearray(64 << 20)
    held[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * (len(held) // os.sysconf("SC_PAGE_SIZE"))
    reading, writing = os.pipe()
    argv = [sys.executable, "-I", "-S", str(ROOT / "tests" / "bench" / "provision" / "account.py"), str(writing), "10"]
    done = subprocess.run([*argv, "/bin/sh", "-c", "exit 3"], pass_fds=(writing,))
    os.close(writing)
    with open(reading) as stream:
        account = json.load(stream)
    assert done.returncode == 3
    assert 0 < account["memory"] < 32
    assert account["wall"] > 0


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
