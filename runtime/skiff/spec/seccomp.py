"""linux.seccomp: the specification's words with the kernel's numbers, and what makes a profile invalid."""

from __future__ import annotations

from skiff.linux import seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.fields import Checker

ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
}
OPERATORS = {f"SCMP_CMP_{name}": number for number, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), 1)}
# OCI's names and libseccomp's.
ARCHITECTURES = {
    f"SCMP_ARCH_{name}": name.lower()
    for name in (
        "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC",
        "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64",
    )
}  # fmt: skip
ARGUMENTS = 6
NUMBERED = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
MAX_NUMBER = 0xFFFF  # of these
UINT64 = 1 << 64


def check(checker: Checker, profile: Any) -> None:
    """Refuse what is wrong, by its key."""
    key = "linux.seccomp"
    table = checker.table(key, profile)
    action = _word(checker, f"{key}.defaultAction", table.get("defaultAction"), ACTIONS)
    if action == "SCMP_ACT_NOTIFY":
        raise checker.wrong(f"{key}.defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")
    _number(checker, f"{key}.defaultErrnoRet", table.get("defaultErrnoRet"), action)
    for name, known in (("architectures", ARCHITECTURES), ("flags", seccomp.FLAGS)):
        for index, word in enumerate(checker.optional_strings(f"{key}.{name}", table.get(name))):
            _word(checker, f"{key}.{name}[{index}]", word, known)
    for name in ("listenerPath", "listenerMetadata"):
        checker.optional_text(f"{key}.{name}", table.get(name))
    for index, rule in enumerate(checker.rows(f"{key}.syscalls", table.get("syscalls"))):
        _rule(checker, f"{key}.syscalls[{index}]", rule, table)


def _rule(checker: Checker, key: str, rule: dict[str, Any], profile: dict[str, Any]) -> None:
    names = checker.strings(f"{key}.names", rule.get("names"))
    if not names:
        raise checker.wrong(f"{key}.names", "must not be empty")
    action = _word(checker, f"{key}.action", rule.get("action"), ACTIONS)
    if action == "SCMP_ACT_NOTIFY":
        if "write" in names:
            raise checker.wrong(f"{key}.action", "SCMP_ACT_NOTIFY cannot be used for the write syscall")
        if not profile.get("listenerPath"):
            raise checker.wrong("linux.seccomp.listenerPath", "is missing, although SCMP_ACT_NOTIFY is used")
    _number(checker, f"{key}.errnoRet", rule.get("errnoRet"), action)
    for index, arg in enumerate(checker.rows(f"{key}.args", rule.get("args"))):
        inner = f"{key}.args[{index}]"
        checker.number(f"{inner}.index", arg.get("index"), 0, ARGUMENTS - 1)
        checker.number(f"{inner}.value", arg.get("value"), 0, UINT64 - 1)
        checker.optional_number(f"{inner}.valueTwo", arg.get("valueTwo"), 0, UINT64 - 1)
        _word(checker, f"{inner}.op", arg.get("op"), OPERATORS)


def _number(checker: Checker, key: str, value: Any, action: str) -> None:
    checker.optional_number(key, value, 0, MAX_NUMBER)
    if value is not None and action not in NUMBERED:
        raise checker.wrong(key, f"{action} returns no number: it is for {' and '.join(NUMBERED)}")


def _word(checker: Checker, key: str, value: Any, known: dict[str, Any]) -> str:
    text = checker.text(key, value)
    if text not in known:
        raise checker.wrong(key, f"unknown value {text!r}")
    return text
