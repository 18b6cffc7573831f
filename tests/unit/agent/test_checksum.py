"""Digests, whichever code makes them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
sys.path.insert(0, {root!r})
for name in {without!r}:
    sys.modules[name] = None
from fleet.agent import checksum
print(checksum.of(b"little"), bool(sys.modules.get("_hashlib")))
print(checksum.sha256(iter([b"much"] * 100000), 400000), bool(sys.modules.get("_hashlib") or sys.modules.get("hashlib")))
print(checksum.of(b"more"))
"""


@pytest.mark.parametrize("without", [(), ("_sha2", "_sha256"), ("_hashlib",)], ids=["all", "no code of its own", "no OpenSSL"])
def test_they_are_right_and_openssl_comes_with_much(without: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", SCRIPT.format(root=str(ROOT), without=without)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    little, much, more = done.stdout.splitlines()
    assert little == f"{hashlib.sha256(b'little').hexdigest()} {'_sha2' in without}"
    assert much == f"{hashlib.sha256(b'much' * 100000).hexdigest()} True"
    assert more == hashlib.sha256(b"more").hexdigest()
