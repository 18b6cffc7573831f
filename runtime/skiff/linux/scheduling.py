"""Scheduler, I/O priority and personality of this process."""

from __future__ import annotations

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check, number

POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02, "SCHED_FLAG_DL_OVERRUN": 0x04, "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10, "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20, "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}  # fmt: skip
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
DOMAINS = {"LINUX": 0, "LINUX32": 8}
_IO_CLASS_SHIFT = 13
_IO_PROCESS = foreign.c_int(1)
_SCHED_SETATTR, _IOPRIO_SET = number(314, 274), number(251, 30)

LIBC.personality.argtypes = (foreign.c_ulong,)


class Attributes(foreign.Structure):
    """struct sched_attr; the three times are nanoseconds."""

    _fields_ = [
        ("size", foreign.c_uint32), ("policy", foreign.c_uint32), ("flags", foreign.c_uint64), ("nice", foreign.c_int32),
        ("priority", foreign.c_uint32), ("runtime", foreign.c_uint64), ("deadline", foreign.c_uint64), ("period", foreign.c_uint64),
    ]  # fmt: skip


def set_scheduler(attributes: Attributes) -> None:
    """sched_setattr(2) for this process."""
    attributes.size = foreign.sizeof(attributes)
    check(LIBC.syscall(_SCHED_SETATTR, foreign.c_int(0), foreign.byref(attributes), foreign.c_uint(0)), "sched_setattr")


def set_io_priority(io_class: int, priority: int) -> None:
    """ioprio_set(2) for this process."""
    value = foreign.c_int(io_class << _IO_CLASS_SHIFT | priority)
    check(LIBC.syscall(_IOPRIO_SET, _IO_PROCESS, foreign.c_int(0), value), "ioprio_set")


def set_personality(domain: int) -> None:
    """personality(2)."""
    check(LIBC.personality(domain), "personality")
