"""The kernel takes the program that confines devices on version 2; for that it needs no group of version 2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, Tuple

import pytest

from skiff.cgroup import device_program, device_rules
from skiff.errors import SyscallError
from skiff.linux import bpf

if TYPE_CHECKING:
    from skiff.spec.types import DeviceRule

NOTHING: DeviceRule = {"allow": False, "access": "rwm"}
NULL: DeviceRule = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
DISKS: List[DeviceRule] = [{"allow": True, "type": "b", "major": 8, "minor": number, "access": "r"} for number in range(200)]
RULES: Tuple[List[DeviceRule], ...] = ([], [NOTHING, NULL], [NOTHING, *DISKS])


@pytest.mark.parametrize("rules", RULES, ids=["Docker's own", "one more", "two hundred more"])
def test_a_program_is_verified_and_has_its_name(rules: List[DeviceRule]) -> None:
    program = bpf.load_device_program(device_program.program(device_rules.complete(rules)))
    try:
        assert bpf._name(program) == bpf.NAME
    finally:
        os.close(program)


def test_what_the_verifier_refuses_is_told_in_its_words() -> None:
    with pytest.raises(SyscallError, match="R0"):  # a program that leaves without an answer
        bpf.load_device_program(b"\x95" + b"\0" * 7)
