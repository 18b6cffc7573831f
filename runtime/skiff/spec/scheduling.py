"""What makes a process's scheduler, I/O priority, processors, or the container's personality invalid."""

from __future__ import annotations

from skiff.linux import scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.fields import Checker

INT32, UINT32, UINT64 = 1 << 31, 1 << 32, 1 << 64
IO_PRIORITIES = 7
MAX_PROCESSORS = 8192
_DEADLINE = ("runtime", "deadline", "period")


def check(checker: Checker, process: dict[str, Any]) -> None:
    """Refuse what is wrong, by its key."""
    if process.get("scheduler") is not None:
        _scheduler(checker, checker.table("process.scheduler", process["scheduler"]))
    if process.get("ioPriority") is not None:
        table = checker.table("process.ioPriority", process["ioPriority"])
        _one_of(checker, "process.ioPriority.class", table.get("class"), scheduling.IO_CLASSES)
        checker.optional_number("process.ioPriority.priority", table.get("priority"), 0, IO_PRIORITIES)
    if process.get("execCPUAffinity") is not None:
        table = checker.table("process.execCPUAffinity", process["execCPUAffinity"])
        for name in ("initial", "final"):
            _processors(checker, f"process.execCPUAffinity.{name}", table.get(name))


def _scheduler(checker: Checker, table: dict[str, Any]) -> None:
    key = "process.scheduler"
    policy = _one_of(checker, f"{key}.policy", table.get("policy"), scheduling.POLICIES)
    checker.optional_number(f"{key}.nice", table.get("nice"), -20, 19)
    checker.optional_number(f"{key}.priority", table.get("priority"), -INT32, INT32 - 1)
    for name in _DEADLINE:
        checker.optional_number(f"{key}.{name}", table.get(name), 0, UINT64 - 1)
    for index, flag in enumerate(checker.optional_strings(f"{key}.flags", table.get("flags"))):
        _one_of(checker, f"{key}.flags[{index}]", flag, scheduling.FLAGS)
    if table.get("priority") and policy not in ("SCHED_FIFO", "SCHED_RR"):
        raise checker.wrong(f"{key}.priority", "is for SCHED_FIFO and SCHED_RR")
    if any(table.get(name) for name in _DEADLINE) and policy != "SCHED_DEADLINE":
        raise checker.wrong(key, "runtime, deadline and period are for SCHED_DEADLINE")


def check_personality(checker: Checker, personality: Any) -> None:
    """linux.personality: a domain, and no flags, for the specification defines none."""
    table = checker.table("linux.personality", personality)
    _one_of(checker, "linux.personality.domain", table.get("domain"), scheduling.DOMAINS)
    if table.get("flags"):
        raise checker.wrong("linux.personality.flags", "must be empty: the specification defines none")


def _one_of(checker: Checker, key: str, value: Any, known: dict[str, int]) -> str:
    text = checker.text(key, value)
    if text not in known:
        raise checker.wrong(key, f"unknown value {text!r}: {', '.join(known)}")
    return text


def _processors(checker: Checker, key: str, value: Any) -> None:
    """A list of numbers and ranges, as cpuset takes it."""
    text = checker.optional_text(key, value)
    for part in text.split(",") if text else ():
        ends = part.strip().split("-")
        numbers = [int(end) for end in ends if end.isascii() and end.isdigit() and int(end) < MAX_PROCESSORS]
        if len(numbers) != len(ends) or len(ends) > len(("first", "last")) or numbers != sorted(numbers):
            raise checker.wrong(key, f"{part!r} is no processor and no range such as 0-3")
