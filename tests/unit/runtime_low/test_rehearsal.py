"""What a maker goes through before its order comes."""

from __future__ import annotations

import os

from skiff.shim import rehearsal


def test_it_goes_through_and_leaves_nothing_open() -> None:
    before = os.listdir("/proc/self/fd")
    rehearsal.go_through()
    assert os.listdir("/proc/self/fd") == before
