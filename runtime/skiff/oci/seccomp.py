"""linux.seccomp of a config.json as a program for the kernel, compiled once for each text and kept.

<store>/@seccomp/<digest>    the program; named by profile, machine and library, written aside and renamed
"""

from __future__ import annotations

import errno
import os
import struct
from _blake2 import blake2b

from skiff.errors import suppress
from skiff.linux import libseccomp, seccomp
from skiff.spec import jsontext
from skiff.spec.seccomp import ACTIONS, ARCHITECTURES, NUMBERED, OPERATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CACHE = "@seccomp"
SHAPE = "tree"  # part of the name, so that a program in another shape is not taken for ours
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
_AUDIT_ARCH_X86_64 = 0xC000003E
_X32 = 0x40000000
_INSTRUCTION = struct.Struct("HBBI")
_LOAD, _EQUAL, _GREATER, _AT_LEAST, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x06
_NR, _ARCH = 0, 4  # offsets in struct seccomp_data


class Filter:
    """What init installs; `notifies` tells that somebody outside is to be given the kernel's questions."""

    __slots__ = ("flags", "notifies", "program")

    def __init__(self, program: bytes, flags: int, notifies: bool) -> None:
        self.program, self.flags, self.notifies = program, flags, notifies


def load(profile: dict[str, Any], store: str) -> Filter:
    """The filter for a valid linux.seccomp; Unsupported where the host has no libseccomp."""
    flags = sum(seccomp.FLAGS[name] for name in set(profile.get("flags") or ()))
    notifies = any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in profile.get("syscalls") or ())
    if notifies:
        flags = flags & ~seccomp.FLAGS["SECCOMP_FILTER_FLAG_TSYNC"] | seccomp.FLAG_NEW_LISTENER
    text = jsontext.dumps([profile, os.uname().machine, libseccomp.LIBRARY, SHAPE], sort_keys=True)
    path = f"{store}/{CACHE}/{blake2b(text.encode(), digest_size=20).hexdigest()}"
    program = _kept(path)
    if program is None:
        program = compile_profile(profile)
        with suppress(OSError):  # it is but a cache
            _keep(path, program)
    return Filter(program, flags, notifies)


def _kept(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            program = file.read()
    except OSError:
        return None
    return program if program and len(program) % seccomp.INSTRUCTION == 0 else None


def _keep(path: str, program: bytes) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    aside = f"{path}.{os.getpid()}"
    with open(aside, "wb") as file:
        file.write(program)
    os.rename(aside, path)


def compile_profile(profile: dict[str, Any]) -> bytes:
    """The kernel's instructions, by libseccomp."""
    default = _action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    with libseccomp.Filter(default) as made:
        arches = {made.native()}
        for name in profile.get("architectures") or ():
            arches.add(made.add_arch(ARCHITECTURES[name]))
        arches.discard(0)
        rules = profile.get("syscalls") or []
        for rule in rules:
            action = _action(rule["action"], rule.get("errnoRet"))
            if action != default:  # which libseccomp refuses as needless
                for name in rule["names"]:
                    _add(made, action, name, rule.get("args") or [])
        program = made.program()
        if profile["defaultAction"] in _PERMISSIVE or default == ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS:
            return program
        newest = {arch: _newest(made, arch, rules) for arch in sorted(arches)}
    return b"".join(_unknown_calls(arch, number) for arch, number in newest.items() if number > 0) + program


def _action(name: str, number: int | None) -> int:
    if name in NUMBERED:
        return ACTIONS[name] | (errno.EPERM if number is None else number)
    return ACTIONS[name]


def _add(made: libseccomp.Filter, action: int, name: str, args: list[dict[str, Any]]) -> None:
    conditions = [libseccomp.Condition(row["index"], OPERATORS[row["op"]], row["value"], row.get("valueTwo") or 0) for row in args]
    if len({condition.arg for condition in conditions}) == len(conditions):
        made.add_rule(action, name, conditions)
    else:
        # libseccomp takes an argument once a rule; as runc does, each condition is then a rule of its own.
        for condition in conditions:
            made.add_rule(action, name, [condition])


def _newest(made: libseccomp.Filter, arch: int, rules: list[dict[str, Any]]) -> int:
    return max((made.number(name, arch) for rule in rules for name in rule["names"]), default=0)


def _unknown_calls(arch: int, newest: int) -> bytes:
    """Calls younger than every one that the profile names do not exist (ENOSYS), so that libraries fall back to older ones."""
    steps = [(_LOAD, 0, 0, _NR)]
    if arch == _AUDIT_ARCH_X86_64:
        steps.append((_AT_LEAST, 2, 0, _X32))
    steps += [(_GREATER, 0, 1, newest), (_RETURN, 0, 0, ACTIONS["SCMP_ACT_ERRNO"] | errno.ENOSYS)]
    head = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 0, len(steps), arch)]
    return b"".join(_INSTRUCTION.pack(*step) for step in head + steps)
