"""The limits of a process that the specification names, with the kernel's numbers."""

from __future__ import annotations

import resource

_NAMES = (
    "AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME", "SIGPENDING",
    "STACK",
)  # fmt: skip
# Python has no name for the tenth, which the kernel keeps and no longer heeds.
NUMBERS = {**{f"RLIMIT_{name}": getattr(resource, f"RLIMIT_{name}") for name in _NAMES}, "RLIMIT_LOCKS": 10}
