"""Refuses a config.json that is wrong, or asks for what Skiff does not do, before anything is touched; names the key."""

from __future__ import annotations

import resource

from skiff.errors import Unsupported
from skiff.linux.capabilities import NUMBERS
from skiff.spec.fields import Checker
from skiff.spec.resources import check_resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.types import Spec

NAMESPACES = frozenset(("mount", "network", "uts", "pid", "ipc", "cgroup"))
LATER = frozenset(("user", "time"))
PROPAGATIONS = frozenset(("", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"))
# Keys that change what the container is; ignoring one would be a lie.
UNSUPPORTED = {
    "": ("hooks", "domainname"),
    "process": ("consoleSize", "apparmorProfile", "selinuxLabel", "scheduler", "ioPriority"),
    "linux": (
        "seccomp", "uidMappings", "gidMappings", "mountLabel", "intelRdt", "personality", "timeOffsets",
    ),
}  # fmt: skip
# Words of the specification that no file system knows, so that the kernel's answer would mislead.
UNSUPPORTED_OPTIONS = frozenset(
    (
        "idmap", "ridmap", "rro", "rrw", "rnosuid", "rsuid", "rnodev", "rdev", "rnoexec", "rexec", "rnodiratime", "rdiratime",
        "tmpcopyup",
    )
)  # fmt: skip
_IPC_SYSCTLS = frozenset(
    ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni")
)
MAX_ID = (1 << 32) - 2
INT64 = 1 << 63


def validate(document: Any, path: str) -> Spec:
    """The document itself, now known to be sound."""
    check = Checker(path)
    spec = check.table("", document)
    _supported(check, spec)
    if not check.text("ociVersion", spec.get("ociVersion")).startswith("1."):
        raise check.wrong("ociVersion", "must be 1.x")
    check.optional_text("hostname", spec.get("hostname"))
    _root(check, spec.get("root"))
    _process(check, spec.get("process"))
    for index, mount in enumerate(check.rows("mounts", spec.get("mounts"))):
        _mount(check, f"mounts[{index}]", mount)
    _linux(check, check.table("linux", spec.get("linux") or {}))
    _agreement(check, spec)
    checked: Any = spec
    return checked  # type: ignore[no-any-return]  # that it is a Spec is what has been checked


def _supported(check: Checker, spec: dict[str, Any]) -> None:
    for prefix, names in UNSUPPORTED.items():
        found: Any = spec
        for part in prefix.split(".") if prefix else ():
            found = found.get(part) if isinstance(found, dict) else None
        for name in names:
            if isinstance(found, dict) and found.get(name) not in (None, "", 0, False, [], {}):
                key = f"{prefix}.{name}" if prefix else name
                raise Unsupported(f"{check.path}: {key} is not supported by this version of skiff-oci: take it out of config.json")


def _root(check: Checker, root: Any) -> None:
    table = check.table("root", root)
    if not check.text("root.path", table.get("path")):
        raise check.wrong("root.path", "must not be empty")
    check.optional_flag("root.readonly", table.get("readonly"))


def _process(check: Checker, process: Any) -> None:
    table = check.table("process", process)
    if table.get("terminal"):
        raise Unsupported(f"{check.path}: process.terminal is not supported by this version of skiff-oci: set it to false")
    if not check.strings("process.args", table.get("args")):
        raise check.wrong("process.args", "must not be empty")
    check.strings("process.env", table.get("env") or [])
    if not check.text("process.cwd", table.get("cwd")).startswith("/"):
        raise check.wrong("process.cwd", "must be an absolute path")
    check.optional_flag("process.noNewPrivileges", table.get("noNewPrivileges"))
    check.optional_number("process.oomScoreAdj", table.get("oomScoreAdj"), -1000, 1000)
    _user(check, check.table("process.user", table.get("user") or {}))
    sets = check.table("process.capabilities", table.get("capabilities") or {})
    for name in ("bounding", "effective", "inheritable", "permitted", "ambient"):
        for capability in check.strings(f"process.capabilities.{name}", sets.get(name) or []):
            if capability not in NUMBERS:
                raise check.wrong(f"process.capabilities.{name}", f"unknown capability {capability!r}")
    _rlimits(check, table.get("rlimits"))


def _rlimits(check: Checker, rlimits: Any) -> None:
    seen = set()
    for index, limit in enumerate(check.rows("process.rlimits", rlimits)):
        key = f"process.rlimits[{index}]"
        name = check.text(f"{key}.type", limit.get("type"))
        if not name.startswith("RLIMIT_") or not hasattr(resource, name):
            raise check.wrong(f"{key}.type", f"unknown limit {name!r}")
        if name in seen:
            raise check.wrong(f"{key}.type", f"{name} is given twice")
        seen.add(name)
        for side in ("soft", "hard"):
            check.number(f"{key}.{side}", limit.get(side), 0, (1 << 64) - 1)


def _user(check: Checker, user: dict[str, Any]) -> None:
    for name in ("uid", "gid"):
        check.optional_number(f"process.user.{name}", user.get(name), 0, MAX_ID)
    check.optional_number("process.user.umask", user.get("umask"), 0, 0o777)
    check.optional_text("process.user.username", user.get("username"))
    for gid in check.sequence("process.user.additionalGids", user.get("additionalGids") or []):
        check.number("process.user.additionalGids", gid, 0, MAX_ID)


def _mount(check: Checker, key: str, mount: dict[str, Any]) -> None:
    destination = check.text(f"{key}.destination", mount.get("destination"))
    if not destination.startswith("/"):
        raise check.wrong(f"{key}.destination", "must be an absolute path")
    for name in ("type", "source"):
        check.optional_text(f"{key}.{name}", mount.get(name))
    for option in check.strings(f"{key}.options", mount.get("options") or []):
        if option in UNSUPPORTED_OPTIONS:
            raise Unsupported(f"{check.path}: {key}.options: {option} is not supported by this version of skiff-oci: take it out")
    for name in ("uidMappings", "gidMappings"):
        if mount.get(name):
            raise Unsupported(
                f"{check.path}: {key}.{name} is not supported by this version of skiff-oci: take it out of config.json"
            )


def _linux(check: Checker, linux: dict[str, Any]) -> None:
    seen = set()
    for index, namespace in enumerate(check.rows("linux.namespaces", linux.get("namespaces"))):
        key = f"linux.namespaces[{index}]"
        kind = check.text(f"{key}.type", namespace.get("type"))
        if kind in LATER:
            raise Unsupported(f"{check.path}: {key}: {kind} namespaces are not supported by this version of skiff-oci")
        if kind not in NAMESPACES:
            raise check.wrong(f"{key}.type", f"unknown namespace {kind!r}")
        if kind in seen:
            raise check.wrong(f"{key}.type", f"{kind} is given twice")
        seen.add(kind)
        path = check.optional_text(f"{key}.path", namespace.get("path"))
        if path and not path.startswith("/"):
            raise check.wrong(f"{key}.path", "must be an absolute path")
    if "mount" not in seen:
        raise check.wrong("linux.namespaces", "must have a mount namespace: without one the host's own root would change")
    if (linux.get("rootfsPropagation") or "") not in PROPAGATIONS:
        raise check.wrong(
            "linux.rootfsPropagation", "must be shared, slave, private or unbindable, or one of them with r before it"
        )
    for name in ("maskedPaths", "readonlyPaths"):
        check.strings(f"linux.{name}", linux.get(name) or [])
    check.optional_text("linux.cgroupsPath", linux.get("cgroupsPath"))
    for index, device in enumerate(check.rows("linux.devices", linux.get("devices"))):
        _device(check, f"linux.devices[{index}]", device)
    check_resources(check, "linux.resources", check.table("linux.resources", linux.get("resources") or {}))


def _device(check: Checker, key: str, device: dict[str, Any]) -> None:
    if not check.text(f"{key}.path", device.get("path")).startswith("/"):
        raise check.wrong(f"{key}.path", "must be an absolute path")
    if device.get("type") not in ("c", "b", "u", "p"):
        raise check.wrong(f"{key}.type", "must be c, b, u or p")
    for name, most in (("major", 4095), ("minor", 1048575), ("fileMode", 0o7777), ("uid", MAX_ID), ("gid", MAX_ID)):
        check.optional_number(f"{key}.{name}", device.get(name), 0, most)


def _agreement(check: Checker, spec: dict[str, Any]) -> None:
    """What is asked in one place needs a namespace asked for in another, or the host's own would change."""
    namespaces = {namespace["type"] for namespace in spec.get("linux", {}).get("namespaces", ())}
    if spec.get("hostname") and "uts" not in namespaces:
        raise check.wrong("hostname", "needs a uts namespace: the host's own name would change")
    for name, value in check.table("linux.sysctl", spec.get("linux", {}).get("sysctl") or {}).items():
        check.text(f"linux.sysctl.{name}", value)
        needed = "ipc" if name in _IPC_SYSCTLS or name.startswith("fs.mqueue.") else "network" if name.startswith("net.") else ""
        if ".." in name or "/" in name or needed not in namespaces:
            raise check.wrong(f"linux.sysctl.{name}", "is not in a separate kernel namespace")
