"""How much room, in bytes and in inodes, is enough: less than this is a warning, and much less the end of something."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from fleet.checks import CRITICAL, WARNING, Check, Claim

PATHS = ("/opt", "/run", "/boot")
MEGABYTE, GIGABYTE = 10**6, 10**9
# Shares of a file system that should be free; of large ones no more than so many bytes.
LOW, LOW_BYTES = 0.10, 5 * GIGABYTE
FULL, FULL_BYTES = 0.02, 1 * GIGABYTE
# A kernel with its initial RAM disk takes as much.
KERNEL_BYTES = 100 * MEGABYTE
# On /run lie sockets and containers' states.
RUN_BYTES = 16 * MEGABYTE

DISK = Claim(
    "disk_room",
    "There is room on the disks",
    "below 2 % or 1 GB images and logs are not written; below 10 % or 5 GB (a warning) they soon will not be",
    "df -h {path}; du -xh -d2 {path} | sort -h | tail",
    probes=("room",),
)
INODES = Claim(
    "inode_room",
    "There are inodes left on the disks",
    "below 2 % no file can be made, whatever the room; below 10 % (a warning) soon none",
    "df -i {path}; find {path} -xdev -printf '%h\\n' | sort | uniq -c | sort -n | tail",
    probes=("room",),
)
CLAIMS = (DISK, INODES)


def judge(entries: Optional[Sequence[Mapping[str, Any]]], fault: str) -> List[Check]:
    """Both claims over all file systems, each once."""
    if entries is None:
        return [DISK.judged(False, fault, path="/"), INODES.judged(False, fault, path="/")]
    mounts = {str(entry["mount"]): entry for entry in reversed(entries)}
    shown = list(reversed(mounts.values()))
    disks = [(fault_of_bytes(entry), told_bytes(entry)) for entry in shown]
    inodes = [(fault_of_inodes(entry), told_inodes(entry)) for entry in shown if entry["inodes"]]
    return [
        judged(DISK, disks, [entry["path"] for entry in shown], "10 % or 5 GB free, on /boot 100 MB"),
        judged(INODES, inodes, [entry["path"] for entry in shown if entry["inodes"]], "10 % free"),
    ]


def judged(claim: Claim, found: Sequence[Tuple[str, str]], paths: Sequence[str], expected: str) -> Check:
    """A claim over all file systems: as bad as the worst of them, and telling those that are not well."""
    bad = [(severity, text, path) for (severity, text), path in zip(found, paths) if severity]
    if not bad:
        return claim.judged(True, "; ".join(text for _, text in found))
    worst = CRITICAL if any(severity == CRITICAL for severity, _, _ in bad) else WARNING
    return claim.judged(False, "; ".join(text for _, text, _ in bad), expected, worst, path=bad[0][2])


def fault_of_bytes(entry: Mapping[str, Any]) -> str:
    """The severity of too little room, or nothing."""
    free, size = entry["free"], entry["size"]
    if entry["path"] == "/boot" and entry["mount"] == "/boot":
        return WARNING if free < KERNEL_BYTES else ""
    if entry["path"] == "/run":
        return CRITICAL if free < RUN_BYTES else ""
    if free < min(FULL * size, FULL_BYTES):
        return CRITICAL
    return WARNING if free < min(LOW * size, LOW_BYTES) else ""


def fault_of_inodes(entry: Mapping[str, Any]) -> str:
    """The severity of too few inodes, or nothing."""
    share = entry["inodes_free"] / entry["inodes"]
    return CRITICAL if share < FULL else WARNING if share < LOW else ""


def told_bytes(entry: Mapping[str, Any]) -> str:
    """A file system's room for a person."""
    return f"{entry['path']}: {entry['free'] / GIGABYTE:.1f} of {entry['size'] / GIGABYTE:.1f} GB free"


def told_inodes(entry: Mapping[str, Any]) -> str:
    """A file system's inodes for a person."""
    return f"{entry['path']}: {100 * entry['inodes_free'] / entry['inodes']:.0f} % of {entry['inodes']} free"
