"""The eBPF program that decides on devices in version 2, as the kernel's instructions; pure, it loads nothing.

The kernel calls it with {access << 16 | kind, major, minor} and refuses with EPERM on 0. It goes through the rules from
the last to the first and keeps in a register what of the access is still undecided: a rule that allows takes its part
away, and none left means yes; a rule that denies any part of what is left means no.
"""

from __future__ import annotations

import struct

from skiff.cgroup.device_rules import ALL, ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from skiff.cgroup.device_rules import Rule

KINDS = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}
EVERY_ACCESS = 7

# linux/bpf_common.h and linux/bpf.h: instruction class, operation and operand.
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_MOVE, _AND, _SHIFT_RIGHT = 0xB4, 0x54, 0x74  # BPF_ALU | BPF_K
_JUMP_UNEQUAL, _JUMP_IF_SET, _JUMP = 0x55, 0x45, 0x05  # BPF_JMP | BPF_K
_EXIT = 0x95
_RESULT, _CONTEXT, _KIND, _LEFT, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5  # registers


def program(rules: Sequence[Rule]) -> bytes:
    """The instructions, eight bytes each; what no rule is about is refused."""
    code = [
        _instruction(_LOAD_WORD, _KIND, _CONTEXT, 0),
        _instruction(_AND, _KIND, value=0xFFFF),
        _instruction(_LOAD_WORD, _LEFT, _CONTEXT, 0),
        _instruction(_SHIFT_RIGHT, _LEFT, value=16),
        _instruction(_LOAD_WORD, _MAJOR, _CONTEXT, 4),
        _instruction(_LOAD_WORD, _MINOR, _CONTEXT, 8),
    ]
    for rule in reversed(rules):
        code += _rule(rule)
        if (rule.kind, rule.major, rule.minor, rule.access) == ("a", ANY, ANY, ALL):
            return b"".join(code)  # nothing is reached after it, which the verifier would not have
    return b"".join(code + _verdict(False))


def _rule(rule: Rule) -> list[bytes]:
    """Its decision, and before it the jumps past it for what it does not concern."""
    mask = sum(ACCESS[letter] for letter in rule.access)
    decision = _verdict(rule.allow)
    if mask != EVERY_ACCESS and rule.allow:
        decision = [
            _instruction(_AND, _LEFT, value=EVERY_ACCESS & ~mask),
            _instruction(_JUMP_UNEQUAL, _LEFT, offset=len(decision)),
            *decision,
        ]
    elif mask != EVERY_ACCESS:
        decision = [
            _instruction(_JUMP_IF_SET, _LEFT, offset=1, value=mask),
            _instruction(_JUMP, offset=len(decision)),
            *decision,
        ]
    tests = []
    if rule.kind != "a":
        tests.append((_KIND, KINDS[rule.kind]))
    tests += [(register, value) for register, value in ((_MAJOR, rule.major), (_MINOR, rule.minor)) if value != ANY]
    jumps = []
    for index, (register, value) in enumerate(tests):
        jumps.append(_instruction(_JUMP_UNEQUAL, register, offset=len(tests) - index - 1 + len(decision), value=value))
    return jumps + decision


def _verdict(allow: bool) -> list[bytes]:
    return [_instruction(_MOVE, _RESULT, value=int(allow)), _instruction(_EXIT)]


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """Struct bpf_insn: the registers are bit fields, the target's lowest on a little-endian machine."""
    return struct.pack("<BBhi", code, source << 4 | target, offset, value)
