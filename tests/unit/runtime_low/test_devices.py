"""Device rules: what a list grants by version 1's exceptions and by version 2's program, which is run here step by step."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiff.cgroup import device_program, device_rules
from skiff.cgroup.device_rules import ALL, ANY, Granted, Rule
from skiff.errors import Unsupported

KINDS, ACCESS = {"b": 1, "c": 2}, {"m": 1, "r": 2, "w": 4}


def run(code: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """What the kernel would answer: the few instructions that there are, on registers of 64 bits."""
    context = struct.pack("<III", sum(ACCESS[letter] for letter in access) << 16 | KINDS[kind], major, minor)
    registers, place = [0] * 16, 0
    while True:
        operation, both, offset, value = struct.unpack_from("<BBhi", code, place * 8)
        target, source = both & 15, both >> 4
        place += 1
        if operation == 0x61:
            assert source == 1
            registers[target] = struct.unpack_from("<I", context, offset)[0]
        elif operation == 0xB4:
            registers[target] = value & 0xFFFFFFFF
        elif operation == 0x54:
            registers[target] &= value & 0xFFFFFFFF
        elif operation == 0x74:
            registers[target] >>= value
        elif operation == 0x55:
            place += offset if registers[target] != value else 0
        elif operation == 0x45:
            place += offset if registers[target] & value else 0
        elif operation == 0x05:
            place += offset
        else:
            assert operation == 0x95
            return bool(registers[0])


def decided(rules: list[Rule], kind: str, major: int, minor: int, access: str) -> bool:
    """The specification's own words: rules apply in order, for each letter the last that matches decides."""

    def letter(one: str) -> bool:
        matching = [rule for rule in rules if rule.covers((kind, major, minor)) and one in rule.access]
        return matching[-1].allow if matching else False

    return all(letter(one) for one in access)


def granted(wanted: Granted, kind: str, major: int, minor: int, access: str) -> bool:
    """Version 1's kernel: all of the access in one exception, or, by default allowed, none of it in any."""
    found = [letters for key, letters in wanted.exceptions.items() if Rule(True, *key, ALL).covers((kind, major, minor))]
    if wanted.allow:
        return not any(letters & set(access) for letters in found)
    return any(set(access) <= letters for letters in found)


NUMBERS = st.sampled_from([ANY, 1, 3])
RULES = st.lists(
    st.builds(
        lambda allow, kind, major, minor, access: {
            "allow": allow, "type": kind, "major": major, "minor": minor, "access": "".join(sorted(access)),
        },
        st.booleans(), st.sampled_from(["a", "b", "c"]), NUMBERS, NUMBERS, st.sets(st.sampled_from(ALL)),
    ),
    max_size=8,
)  # fmt: skip
PROBES = list(itertools.product("bc", (1, 3, 7), (1, 3, 7), ("r", "w", "m", "rw", "rwm")))


@given(RULES)
def test_the_program_decides_as_the_rules_in_their_order(given_rules: list[Any]) -> None:
    rules = [Rule(False, "a", ANY, ANY, ALL), *(rule for row in given_rules for rule in device_rules.normal(row))]
    code = device_program.program(rules)
    for probe in PROBES:
        assert run(code, *probe) == decided(rules, *probe), probe


@given(RULES)
def test_version_1_grants_nothing_that_the_rules_do_not(given_rules: list[Any]) -> None:
    """It may grant less, for it does not add up two exceptions; what it cannot express it refuses."""
    rules = [rule for row in given_rules for rule in device_rules.normal(row)]
    try:
        wanted = Granted(rules)
    except Unsupported:
        return
    for probe in PROBES:
        if granted(wanted, *probe):
            assert decided(rules, *probe), probe


@given(RULES, RULES)
def test_the_steps_lead_from_one_list_to_another(first: list[Any], second: list[Any]) -> None:
    try:
        now, wanted = (Granted(rule for row in rows for rule in device_rules.normal(row)) for rows in (first, second))
    except Unsupported:
        return
    reached = Granted([Rule(True, "a", ANY, ANY, ALL)]) if now.allow else now
    kernel = Kernel(reached)
    for name, value in device_rules.steps(now, wanted):
        kernel.write(name, value)
    assert (kernel.allow, kernel.exceptions) == (wanted.allow, wanted.exceptions)


class Kernel:
    """devices.allow and devices.deny: exact matches alone, as the kernel has it."""

    def __init__(self, start: Granted) -> None:
        self.allow = start.allow
        self.exceptions = {key: set(access) for key, access in start.exceptions.items()}

    def write(self, name: str, value: str) -> None:
        allow = name == "devices.allow"
        if value == "a":
            self.allow, self.exceptions = allow, {}
            return
        kind, numbers, access = value.split()
        major, minor = (ANY if part == "*" else int(part) for part in numbers.split(":"))
        found = self.exceptions.setdefault((kind, major, minor), set())
        if allow == self.allow:
            found -= set(access)
        else:
            found |= set(access)
        if not found:
            del self.exceptions[kind, major, minor]


def test_what_both_lists_grant_is_never_lost_on_the_way() -> None:
    common = Rule(True, "c", 1, 3, ALL)
    now, wanted = Granted([common, Rule(True, "c", 1, 5, "r")]), Granted([common, Rule(True, "b", 8, ANY, "r")])
    assert device_rules.steps(now, wanted) == [("devices.allow", "b 8:* r"), ("devices.deny", "c 1:5 r")]


def test_every_container_has_the_specifications_devices() -> None:
    rules = device_rules.complete([{"allow": False, "access": "rwm"}])
    for minor in (3, 5, 7, 8, 9):
        assert decided(rules, "c", 1, minor, "rw")
    assert decided(rules, "b", 8, 0, "m")
    assert not decided(rules, "b", 8, 0, "r")


def test_a_rule_of_both_kinds_is_not_a_rule_about_everything() -> None:
    """The kernel's devices.allow takes `a 1:3 r` for all devices and all access."""
    made = device_rules.normal({"allow": True, "type": "a", "major": 1, "minor": 3, "access": "r"})
    assert [str(rule) for rule in made] == ["c 1:3 r", "b 1:3 r"]


def test_a_hole_that_version_1_cannot_have_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"cgroup v1 cannot take c 1:3 w out of c \*:\* rw"):
        Granted([Rule(True, "c", ANY, ANY, "rw"), Rule(False, "c", 1, 3, "w")])


def test_numbers_that_no_device_has_match_none() -> None:
    assert device_rules.normal({"allow": True, "type": "c", "major": 1 << 40, "minor": 3, "access": "r"}) == []
