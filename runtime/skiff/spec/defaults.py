"""Docker's default container as an OCI config.json: a base that the engine fills in."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import DeviceRule, Mount, Spec

OCI_VERSION = "1.2.0"

CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)

READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

NAMESPACES = ("mount", "network", "uts", "pid", "ipc", "cgroup")


def default_mounts() -> list[Mount]:
    """The kernel's file systems, as Docker mounts them."""
    rows = (
        ("/proc", "proc", "proc", "nosuid noexec nodev"),
        ("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
        ("/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
        ("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"),
        ("/sys/fs/cgroup", "cgroup", "cgroup", "ro nosuid noexec nodev"),
        ("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
        ("/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=67108864"),  # noqa: S108  # a path in the container
    )
    return [
        {"destination": destination, "type": kind, "source": source, "options": options.split()}
        for destination, kind, source, options in rows
    ]


def default_device_rules() -> list[DeviceRule]:
    """Nothing, then mknod of anything, then the devices that every container has."""
    rules: list[DeviceRule] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "access": "m"},
        {"allow": True, "type": "b", "access": "m"},
    ]
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)):
        rules.append({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"})
    rules.append({"allow": True, "type": "c", "major": 136, "access": "rwm"})
    return rules


def default_spec() -> Spec:
    """A new document each time, so that the caller may change any part of it."""
    chosen = list(CAPABILITIES)
    return {
        "ociVersion": OCI_VERSION,
        "root": {"path": "rootfs", "readonly": False},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [],
            "cwd": "/",
            "capabilities": {"bounding": chosen, "effective": list(chosen), "permitted": list(chosen)},
            "noNewPrivileges": False,
        },
        "mounts": default_mounts(),
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "resources": {"devices": default_device_rules()},
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
        },
    }
