"""Which capabilities a container gets: Docker's default set, more or less what a request adds and drops."""

from __future__ import annotations

from typing import Any

from skiff.engine import fields
from skiff.errors import InvalidInput
from skiff.spec import defaults

# In the kernel's order, linux/capability.h.
_ALL = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
ALL = tuple(f"CAP_{name}" for name in _ALL.split())


def choose(add: Any, drop: Any) -> list[str]:
    """The set, in the kernel's order."""
    added, dropped = _names("CapAdd", add), _names("CapDrop", drop)
    chosen = set(ALL) if "ALL" in added else set() if "ALL" in dropped else set(defaults.CAPABILITIES)
    # What is named one by one wins over ALL on the other side.
    chosen = (chosen - set(dropped)) | (set(added) - {"ALL"})
    return [name for name in ALL if name in chosen]


def _names(what: str, value: Any) -> list[str]:
    names = []
    for text in fields.strings(f"HostConfig.{what}", value):
        name = text.upper()
        if name != "ALL" and not name.startswith("CAP_"):
            name = f"CAP_{name}"
        if name != "ALL" and name not in ALL:
            raise InvalidInput(f'invalid {what}: unknown capability: "{name}"')
        names.append(name)
    return names
