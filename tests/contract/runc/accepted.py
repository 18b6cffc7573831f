"""Where we differ from runc 1.1, and why that is right: by the section of the specification (1.2), or what it leaves open."""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Accepted(NamedTuple):
    """`facts` are patterns, of which each must match a fact that differs, and all that differ must be matched."""

    facts: Tuple[str, ...]
    section: str
    why: str


REFUSED = ("refused",)
# In every container; they must differ in the one of the base.
ALWAYS: list[Accepted] = [
    Accepted(
        ("fd [012]",), "config.md#process", "without a terminal, nothing is said of the standard streams: ours are the caller's own"
    ),
    Accepted(
        ("cgroups devices/devices.list c 10:200",),
        "config-linux.md#devices",
        "no device may be accessed that is neither in devices nor a default device: /dev/net/tun is neither",
    ),
    Accepted(
        ("mountinfo * mask",),
        "config-linux.md#masked-paths",
        "covered so that it cannot be read: by the host's /dev/null: the image's may be something else (CVE-2025-31133)",
    ),
    Accepted(("mountinfo /sys/fs/cgroup",), "config.md#linux-mount-options", "ro: the mount is read-only, its base too"),
]
ACCEPTED: dict[str, Accepted] = {
    "rlimits: twice": Accepted(REFUSED, "config.md#posix-process", "duplicated entries with the same type: MUST generate an error"),
    "ociVersion: 2.0.0": Accepted(REFUSED, "config.md#specification-version", "compatible within a major version only"),
    "ociVersion: a word": Accepted(REFUSED, "config.md#specification-version", "MUST be in SemVer v2.0.0 format"),
    "ociVersion: empty": Accepted(REFUSED, "config.md#specification-version", "REQUIRED, and MUST be in SemVer v2.0.0 format"),
    "scheduler: batch": Accepted(
        ("stat policy", "stat nice", "stat priority"), "config.md#linux-process", "scheduler (1.1): runc 1.1 ignores it"
    ),
    "scheduler: idle": Accepted(("stat policy",), "config.md#linux-process", "scheduler (1.1): runc 1.1 ignores it"),
    "domainname": Accepted(("sysctl kernel/domainname",), "config.md#domainname", "domainname (1.1): runc 1.1 ignores it"),
    "rootfsPropagation: unbindable": Accepted(REFUSED, "config-linux.md#rootfs-mount-propagation", "one of its values"),
    "rootfsPropagation: runbindable": Accepted(REFUSED, "config-linux.md#rootfs-mount-propagation", "one of its values"),
    "seccomp: with flags": Accepted(REFUSED, "config-linux.md#seccomp", "both flags are named there (1.1): runc 1.1 knows none"),
    "seccomp: without a default": Accepted(REFUSED, "config-linux.md#seccomp", "defaultAction is REQUIRED"),
    "personality: LINUX32": Accepted(
        ("file personality",), "config-linux.md#personality", "personality (1.1): runc 1.1 ignores it"
    ),
    "personality: unknown": Accepted(REFUSED, "config-linux.md#personality", "domain is LINUX or LINUX32"),
    "mount options of a tmpfs: defaults": Accepted(
        REFUSED, "config.md#linux-mount-options", "an option of mount(8); runc hands it to the file system"
    ),
    "mount options of a tmpfs: mode=1711,uid=5,gid=6": Accepted(
        ("nodes /mnt",),
        "config.md#linux-mount-options",
        "options that are not listed go to the file system: the mode is the one asked for",
    ),
    **{
        f"mount options of a bind: rbind,noatime,{word}": Accepted(
            REFUSED, "config.md#linux-mount-options", f"{word} SHOULD be implemented; runc clears a part of the kernel's field"
        )
        for word in ("ratime", "rnostrictatime")
    },
    "mounts: tmpfs without a source": Accepted(
        ("mountinfo /mnt",), "config.md#mounts", "source is OPTIONAL and a dummy; an empty one breaks readers of mountinfo"
    ),
    "mounts: at a link of the kernel's": Accepted(
        REFUSED, "config.md#mounts", "destination is a path inside the container; this link leads to the runtime's own directory"
    ),
    "mounts: cgroup at another place": Accepted(("mountinfo /mnt",), "config.md#linux-mount-options", "ro: its base too"),
    "mounts: none": Accepted(REFUSED, "config.md#mounts", "OPTIONAL: a container needs no /proc of its own to be made"),
    "mounts: not given": Accepted(REFUSED, "config.md#mounts", "OPTIONAL: a container needs no /proc of its own to be made"),
    "mounts: idmap": Accepted(
        ("mountinfo /mnt", "mountinfo order", "nodes /mnt*", "paths /mnt/file"),
        "config.md#posix-platform-mounts",
        "uidMappings and gidMappings of a mount (1.1): runc 1.1 ignores them",
    ),
    "devices: in place of a default": Accepted(
        ("cgroups devices/devices.list c 1:5",), "config-linux.md#default-devices", "MUST also supply /dev/zero, whatever its mode"
    ),
    "devices: where another file is": Accepted(
        REFUSED, "config-linux.md#devices", "a file at the path that is not the device MUST be an error: runc leaves it"
    ),
    "seccomp: a number for an action without one": Accepted(
        REFUSED, "config-linux.md#seccomp", "where the action does not support an errno the runtime MUST fail"
    ),
    "devices: without a path": Accepted(REFUSED, "config-linux.md#devices", "path is REQUIRED"),
    "resources.devices: bad access": Accepted(REFUSED, "config-linux.md#allowed-device-list", "a composition of r, w and m"),
    "memory: {'limit': 67108864, 'kernelTCP': 33554432}": Accepted(
        ("cgroups memory/memory.kmem.tcp.limit_in_bytes",), "config-linux.md#memory", "kernelTCP sets the hard limit"
    ),
    "cpu: {'quota': 50000, 'burst': 10000}": Accepted(
        ("cgroups cpu/cpu.cfs_burst_us",), "config-linux.md#cpu", "burst (1.1): runc 1.1 ignores it"
    ),
    "cpu: {'idle': 1}": Accepted(
        ("cgroups cpu/cpu.idle", "cgroups cpu/cpu.shares"), "config-linux.md#cpu", "idle (1.1): runc 1.1 ignores it"
    ),
    "cpu: processors as a word": Accepted(REFUSED, "config-linux.md#cpu", "cpus is a list as the kernel's cpuset takes it"),
    "namespaces: a new time": Accepted(REFUSED, "config-linux.md#namespaces", "time (1.1): runc 1.1 does not know it"),
    "namespaces: joined time": Accepted(REFUSED, "config-linux.md#namespaces", "time (1.1): runc 1.1 does not know it"),
    "timeOffsets": Accepted(REFUSED, "config-linux.md#offset-for-time-namespace", "timeOffsets (1.1): runc 1.1 does not know them"),
    "timeOffsets: without a namespace": Accepted(
        REFUSED, "runtime.md#lifecycle", "what cannot be made as config.json has it MUST be an error: there is no time namespace"
    ),
    "mappings without a user namespace": Accepted(
        REFUSED, "runtime.md#lifecycle", "what cannot be made as config.json has it MUST be an error: there is no user namespace"
    ),
    **{
        f"hooks: {name}": Accepted(("hooks host",), "runtime.md#state", "after the program was executed the status is running")
        for name in ("poststart", "poststart with an environment", "all of them", "poststart fails")
    },
    "hooks: poststop fails": Accepted(
        ("hooks host",), "runtime.md#lifecycle", "if a poststop hook fails, the remaining hooks continue as if it had succeeded"
    ),
    "hooks: a relative path": Accepted(REFUSED, "config.md#posix-platform-hooks", "path MUST be an absolute path"),
    **{
        f"namespaces: user{rest}": Accepted(
            ("nodes /dev/mqueue",), "config-linux.md#user-namespace-mappings", "its owner is an id of the container"
        )
        for rest in ("", ", another user", " and a read-only root")
    },
}

# Without rights there are fewer that differ always, so that nothing asks whether they still do.
ACCEPTED_ROOTLESS: dict[str, Accepted] = {
    "mounts: cgroup": Accepted(
        ("cgroups *", "mountinfo *", "nodes /sys/fs/cgroup/*"),
        "config-linux.md#control-groups",
        "the container has no cgroup and is shown none; runc shows that of its caller",
    ),
    **{
        name: ACCEPTED[name]
        for name in (
            "rootfsPropagation: unbindable",
            "rootfsPropagation: runbindable",
            "hooks: poststart",
            "hooks: poststart with an environment",
            "hooks: all of them",
            "hooks: poststart fails",
            "hooks: poststop fails",
            "hooks: a relative path",
        )
    },
}
