"""What `skiff-oci spec` writes: a shell on a read-only root, as runc has it, for root or for a user without rights."""

from __future__ import annotations

from skiff.spec import defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Mount, Spec

_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
_FILES = 1024
_SHM = "/dev/shm"  # noqa: S108  # a path in the container


def example() -> Spec:
    """For root."""
    mounts = defaults.default_mounts()
    for mount in mounts:
        if mount["destination"] == _SHM:
            mount["options"] = ["size=65536k" if option.startswith("size=") else option for option in mount["options"]]
    return {
        "ociVersion": defaults.OCI_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": list(_CAPABILITIES),
                "effective": list(_CAPABILITIES),
                "permitted": list(_CAPABILITIES),
                "ambient": list(_CAPABILITIES),
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": _FILES, "soft": _FILES}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "skiff",
        "mounts": mounts,
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "maskedPaths": list(defaults.MASKED_PATHS),
            "readonlyPaths": list(defaults.READONLY_PATHS),
        },
    }


def rootless(uid: int, gid: int) -> Spec:
    """For a user: a user namespace in which it is root, the host's network, and no limits."""
    spec = example()
    linux = spec["linux"]
    linux.pop("resources")
    linux["namespaces"] = [{"type": kind} for kind in (*_NAMESPACES, "user") if kind != "network"]
    linux["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    spec["mounts"] = [_without_rights(mount) for mount in spec["mounts"]]
    return spec


def _without_rights(mount: Mount) -> Mount:
    """No group that is not mapped, and the host's sysfs, for that of another's network cannot be mounted."""
    if mount["destination"] == "/sys":
        options = ["rbind", "nosuid", "noexec", "nodev", "ro"]
        return {"destination": "/sys", "type": "none", "source": "/sys", "options": options}
    return {**mount, "options": [option for option in mount["options"] if not option.startswith("gid=")]}
