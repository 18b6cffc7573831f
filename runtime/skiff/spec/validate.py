"""Refuses a config.json that is wrong, or asks for what Skiff does not do, before anything is touched; names the key."""

from __future__ import annotations

import os

from skiff.errors import Unsupported
from skiff.linux import rlimits
from skiff.spec import hooks, scheduling, seccomp
from skiff.spec.fields import Checker
from skiff.spec.resources import check_resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.types import Spec

NAMESPACES = frozenset(("mount", "network", "uts", "pid", "ipc", "cgroup", "user", "time"))
PROPAGATIONS = frozenset(("", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"))
# Keys that change what the container is; ignoring one would be a lie.
UNSUPPORTED = {
    "linux": ("intelRdt", "netDevices", "memoryPolicy"),
}
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ["msgmax", "msgmnb", "msgmni", "sem", "shm_rmid_forced", "shmall", "shmmax", "shmmni"]
)
ANY_MODE = 0o177777  # a device's mode comes with or without the bits of its type
MAX_ID = (1 << 32) - 2
INT64 = 1 << 63


def validate(document: Any, path: str) -> Spec:
    """The document itself, now known to be sound."""
    check = Checker(path)
    spec = check.table("", document)
    _supported(check, spec)
    if not check.text("ociVersion", spec.get("ociVersion")).startswith("1."):
        raise check.wrong("ociVersion", "must be 1.x")
    for name in ("hostname", "domainname"):
        check.optional_text(name, spec.get(name))
    _annotations(check, spec.get("annotations"))
    hooks.check(check, spec.get("hooks"))
    _root(check, spec.get("root"))
    _process(check, spec.get("process"))
    for index, mount in enumerate(check.rows("mounts", spec.get("mounts"))):
        _mount(check, f"mounts[{index}]", mount)
    _linux(check, check.optional_table("linux", spec.get("linux")))
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


def _process(check: Checker, value: Any) -> None:
    table = check.table("process", value)
    process(check, table)


def process(check: Checker, table: dict[str, Any]) -> None:
    """One process, of a config.json or of a file of its own."""
    check.optional_flag("process.terminal", table.get("terminal"))
    if not check.strings("process.args", table.get("args")):
        raise check.wrong("process.args", "must not be empty")
    for index, entry in enumerate(check.optional_strings("process.env", table.get("env"))):
        if entry.find("=") < 1:
            raise check.wrong(f"process.env[{index}]", "must be NAME=value")
    if not check.text("process.cwd", table.get("cwd")).startswith("/"):
        raise check.wrong("process.cwd", "must be an absolute path")
    check.optional_flag("process.noNewPrivileges", table.get("noNewPrivileges"))
    check.optional_number("process.oomScoreAdj", table.get("oomScoreAdj"), -1000, 1000)
    for name in ("apparmorProfile", "selinuxLabel"):
        check.optional_text(f"process.{name}", table.get(name))
    _user(check, check.optional_table("process.user", table.get("user")))
    sets = check.optional_table("process.capabilities", table.get("capabilities"))
    for name in ("bounding", "effective", "inheritable", "permitted", "ambient"):
        check.optional_strings(f"process.capabilities.{name}", sets.get(name))
    _rlimits(check, table.get("rlimits"))
    scheduling.check(check, table)
    if table.get("consoleSize") is not None:
        size = check.table("process.consoleSize", table["consoleSize"])
        for side in ("height", "width"):
            check.number(f"process.consoleSize.{side}", size.get(side), 0, 65535)


def _annotations(check: Checker, annotations: Any) -> None:
    for name, value in check.optional_table("annotations", annotations).items():
        if not name:
            raise check.wrong("annotations", "must not have an empty key")
        check.text(f"annotations.{name}", value)


def _rlimits(check: Checker, rows: Any) -> None:
    seen = set()
    for index, limit in enumerate(check.rows("process.rlimits", rows)):
        key = f"process.rlimits[{index}]"
        name = check.text(f"{key}.type", limit.get("type"))
        if name not in rlimits.NUMBERS:
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
    groups = user.get("additionalGids")
    for gid in check.sequence("process.user.additionalGids", [] if groups is None else groups):
        check.number("process.user.additionalGids", gid, 0, MAX_ID)


def _mount(check: Checker, key: str, mount: dict[str, Any]) -> None:
    destination = check.text(f"{key}.destination", mount.get("destination"))
    if not destination:
        raise check.wrong(f"{key}.destination", "must not be empty")
    if not os.path.normpath(destination).strip("/"):
        raise check.wrong(f"{key}.destination", "must not be the root itself")
    for name in ("type", "source"):
        check.optional_text(f"{key}.{name}", mount.get(name))
    options = check.optional_strings(f"{key}.options", mount.get("options"))
    for name in ("uidMappings", "gidMappings"):
        mappings(check, f"{key}.{name}", mount.get(name))
    mapped = bool(mount.get("uidMappings")) or "idmap" in options or "ridmap" in options
    if bool(mount.get("uidMappings")) != bool(mount.get("gidMappings")):
        raise check.wrong(key, "must have both uidMappings and gidMappings, or neither")
    bound = "bind" in options or "rbind" in options
    if mount.get("type") == "bind" and not bound:
        raise check.wrong(f"{key}.options", "must have bind or rbind: the type alone makes no bind mount")
    if mapped and not bound:
        raise check.wrong(f"{key}.options", "only a bind mount can be idmapped")
    if "tmpcopyup" in options and mount.get("type") != "tmpfs":
        raise check.wrong(f"{key}.options", "tmpcopyup is for a tmpfs")


def mappings(check: Checker, key: str, rows: Any) -> None:
    """Ranges of a user namespace's ids."""
    for index, row in enumerate(check.rows(key, rows)):
        for name, least in (("containerID", 0), ("hostID", 0), ("size", 1)):
            check.number(f"{key}[{index}].{name}", row.get(name), least, MAX_ID)


def _linux(check: Checker, linux: dict[str, Any]) -> None:
    _namespaces(check, linux)
    if check.optional_text("linux.rootfsPropagation", linux.get("rootfsPropagation")) not in PROPAGATIONS:
        raise check.wrong(
            "linux.rootfsPropagation", "must be shared, slave, private or unbindable, or one of them with r before it"
        )
    for name in ("maskedPaths", "readonlyPaths"):
        check.optional_strings(f"linux.{name}", linux.get(name))
    for name in ("cgroupsPath", "mountLabel"):
        check.optional_text(f"linux.{name}", linux.get(name))
    for index, device in enumerate(check.rows("linux.devices", linux.get("devices"))):
        _device(check, f"linux.devices[{index}]", device)
    if linux.get("personality") is not None:
        scheduling.check_personality(check, linux["personality"])
    if linux.get("seccomp") is not None:
        seccomp.check(check, linux["seccomp"])
    check_resources(check, "linux.resources", check.optional_table("linux.resources", linux.get("resources")))


def _namespaces(check: Checker, linux: dict[str, Any]) -> None:
    seen: dict[str, str] = {}
    for index, namespace in enumerate(check.rows("linux.namespaces", linux.get("namespaces"))):
        key = f"linux.namespaces[{index}]"
        kind = check.text(f"{key}.type", namespace.get("type"))
        if kind not in NAMESPACES:
            raise check.wrong(f"{key}.type", f"unknown namespace {kind!r}")
        if kind in seen:
            raise check.wrong(f"{key}.type", f"{kind} is given twice")
        seen[kind] = check.optional_text(f"{key}.path", namespace.get("path"))
        if seen[kind] and not seen[kind].startswith("/"):
            raise check.wrong(f"{key}.path", "must be an absolute path")
    for name in ("uidMappings", "gidMappings"):
        mappings(check, f"linux.{name}", linux.get(name))
        if linux.get(name) and "user" not in seen:
            raise check.wrong(f"linux.{name}", "needs a user namespace")
        if "user" in seen and not seen["user"] and not any(row["containerID"] == 0 for row in linux.get(name) or ()):
            raise check.wrong(f"linux.{name}", "must map the container's id 0: a user namespace needs a root")
    for clock, offset in check.optional_table("linux.timeOffsets", linux.get("timeOffsets")).items():
        if clock not in ("monotonic", "boottime"):
            raise check.wrong(f"linux.timeOffsets.{clock}", "must be monotonic or boottime")
        if seen.get("time", "/") != "":
            raise check.wrong("linux.timeOffsets", "needs a new time namespace")
        table = check.table(f"linux.timeOffsets.{clock}", offset)
        check.optional_number(f"linux.timeOffsets.{clock}.secs", table.get("secs"), -INT64, INT64 - 1)
        check.optional_number(f"linux.timeOffsets.{clock}.nanosecs", table.get("nanosecs"), 0, 999_999_999)


def _device(check: Checker, key: str, device: dict[str, Any]) -> None:
    if not check.text(f"{key}.path", device.get("path")).startswith("/"):
        raise check.wrong(f"{key}.path", "must be an absolute path")
    if device.get("type") not in ("c", "b", "u", "p"):
        raise check.wrong(f"{key}.type", "must be c, b, u or p")
    for name, most in (("major", 4095), ("minor", 1048575), ("fileMode", ANY_MODE), ("uid", MAX_ID), ("gid", MAX_ID)):
        check.optional_number(f"{key}.{name}", device.get(name), 0, most)


def _agreement(check: Checker, spec: dict[str, Any]) -> None:
    """What is asked in one place needs a namespace asked for in another, or the host's own would change."""
    linux = spec.get("linux") or {}
    namespaces = {namespace["type"] for namespace in linux.get("namespaces") or ()}
    for name in ("hostname", "domainname"):
        if spec.get(name) and "uts" not in namespaces:
            raise check.wrong(name, "needs a uts namespace: the host's own would change")
    for index, mount in enumerate(spec.get("mounts") or ()):
        if "user" not in namespaces and not mount.get("uidMappings") and {"idmap", "ridmap"} & set(mount.get("options") or ()):
            raise check.wrong(
                f"mounts[{index}]", "idmap needs uidMappings and gidMappings: there is no user namespace to take them from"
            )
    if "mount" not in namespaces:
        for key, value in (
            ("mounts", spec.get("mounts")),
            ("root.readonly", spec["root"].get("readonly")),
            *((f"linux.{name}", linux.get(name)) for name in ("maskedPaths", "readonlyPaths", "rootfsPropagation")),
        ):
            if value:
                raise check.wrong(key, "needs a mount namespace: without one the host's own mounts would change")
    for name, value in check.optional_table("linux.sysctl", linux.get("sysctl")).items():
        check.text(f"linux.sysctl.{name}", value)
        _sysctl(check, name.replace("/", "."), name, namespaces)


def _sysctl(check: Checker, name: str, written: str, namespaces: set[str]) -> None:
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        needed = "ipc"
    elif name.startswith("net."):
        needed = "network"
    elif name == "kernel.domainname":
        needed = "uts"
    elif name.startswith("user."):
        needed = "user"
    else:
        needed = ""
    if ".." in name or needed not in namespaces:
        raise check.wrong(f"linux.sysctl.{written}", "is not in a separate kernel namespace")
