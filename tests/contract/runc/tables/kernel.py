"""Mutations of `linux`: namespaces and mappings, sysctls, seccomp, personality, and what else the kernel keeps for a process."""

from __future__ import annotations

from typing import Any

from tests.contract.runc.mutation import GONE, Mutation

KINDS = ("pid", "network", "ipc", "uts", "mount", "cgroup")
FILES = {"network": "net", "mount": "mnt"}
IDS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def namespaces(*, without: str = "", joined: str = "", more: tuple[Any, ...] = (), **linux: Any) -> dict[str, Any]:
    rows: list[Any] = [{"type": kind} for kind in KINDS if kind not in (without, joined)]
    if joined:
        rows.append({"type": joined, "path": "{holder}/ns/" + FILES.get(joined, joined)})
    return {"linux.namespaces": [*rows, *more], **{f"linux.{name}": value for name, value in linux.items()}}


def user(**linux: Any) -> dict[str, Any]:
    return namespaces(more=({"type": "user"},), **{"uidMappings": IDS, "gidMappings": IDS, **linux})


def seccomp(*rules: Any, default: object = "SCMP_ACT_ALLOW", **more: Any) -> dict[str, Any]:
    return {"linux.seccomp": {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": list(rules), **more}}


def rule(*names: str, action: str = "SCMP_ACT_ERRNO", **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **more}


NAMESPACES = [
    *(Mutation(f"namespaces: without {kind}", namespaces(without=kind)) for kind in ("pid", "network", "ipc", "cgroup")),
    Mutation("namespaces: without uts", {**namespaces(without="uts"), "hostname": GONE}),
    Mutation("namespaces: without uts and a hostname", namespaces(without="uts"), refused="hostname"),
    Mutation("namespaces: without mount", namespaces(without="mount"), refused="mounts"),
    *(Mutation(f"namespaces: joined {kind}", namespaces(joined=kind)) for kind in ("pid", "network", "ipc", "uts", "cgroup")),
    Mutation("namespaces: joined time", namespaces(more=({"type": "time", "path": "{holder}/ns/time"},))),
    Mutation("namespaces: a new time", namespaces(more=({"type": "time"},))),
    Mutation(
        "namespaces: a path that is not there", namespaces(more=({"type": "user", "path": "/nowhere/ns"},)), refused="/nowhere/ns"
    ),
    Mutation(
        "namespaces: another kind's path",
        namespaces(without="ipc", more=({"type": "ipc", "path": "{holder}/ns/net"},)),
        refused="ipc",
    ),
    Mutation(
        "namespaces: a relative path",
        namespaces(without="ipc", more=({"type": "ipc", "path": "ns/ipc"},)),
        refused="linux.namespaces",
    ),
    Mutation("namespaces: unknown", namespaces(more=({"type": "space"},)), refused="linux.namespaces[6].type"),
    Mutation("namespaces: twice", namespaces(more=({"type": "pid"},)), refused="linux.namespaces[6].type"),
    Mutation("namespaces: text", {"linux.namespaces": "all"}, refused="linux.namespaces"),
    Mutation("namespaces: user", user()),
    Mutation("namespaces: user, another user", {**user(), "process.user": {"uid": 1000, "gid": 1001, "additionalGids": [5]}}),
    Mutation("namespaces: user and a read-only root", {**user(), "root.readonly": True}),
    Mutation(
        "namespaces: user with the host's network",
        {**namespaces(without="network", more=({"type": "user"},), uidMappings=IDS, gidMappings=IDS)},
        refused="/sys",
    ),
    Mutation("namespaces: user without mappings", namespaces(more=({"type": "user"},)), refused="linux.uidMappings"),
    Mutation(
        "namespaces: user without the root",
        user(uidMappings=[{"containerID": 5, "hostID": 5, "size": 1}]),
        refused="linux.uidMappings",
    ),
    Mutation("namespaces: user with overlapping ranges", user(uidMappings=IDS + IDS), refused="uid_map"),
    Mutation("namespaces: a uid that is not mapped", {**user(), "process.user.uid": 70000}, refused="process.user: uid 70000"),
    Mutation(
        "mappings without a user namespace", {"linux.uidMappings": IDS, "linux.gidMappings": IDS}, refused="linux.uidMappings"
    ),
    Mutation(
        "mappings of size 0", user(uidMappings=[{"containerID": 0, "hostID": 0, "size": 0}]), refused="linux.uidMappings[0].size"
    ),
    Mutation("timeOffsets", namespaces(more=({"type": "time"},), timeOffsets={"boottime": {"secs": 1000}})),
    Mutation("timeOffsets: without a namespace", {"linux.timeOffsets": {"boottime": {"secs": 1}}}, refused="linux.timeOffsets"),
]
SYSCTLS = [
    *(
        Mutation(f"sysctl: {name}", {"linux.sysctl": {name: value}})
        for name, value in (
            ("net.ipv4.ip_forward", "1"),
            ("net.core.somaxconn", "77"),
            ("net.ipv4.ping_group_range", "0 7"),
            ("net.ipv4.ip_unprivileged_port_start", "80"),
            ("kernel.shmmax", "77777"),
            ("kernel.shmmni", "77"),
            ("kernel.msgmax", "7777"),
            ("kernel.msgmnb", "7777"),
            ("kernel.msgmni", "77"),
            ("kernel.sem", "7 8 9 10"),
            ("kernel.shm_rmid_forced", "1"),
            ("fs.mqueue.msg_max", "7"),
            ("net/ipv4/ip_forward", "1"),
            ("kernel.domainname", "example.org"),
        )
    ),
    Mutation("sysctl: with blanks", {"linux.sysctl": {"net.ipv4.ip_forward": " 1 "}}),
    Mutation("sysctl: the host's", {"linux.sysctl": {"vm.overcommit_memory": "0"}}, refused="vm.overcommit_memory"),
    Mutation("sysctl: the host's kernel", {"linux.sysctl": {"kernel.panic": "0"}}, refused="kernel.panic"),
    Mutation("sysctl: kernel.hostname", {"linux.sysctl": {"kernel.hostname": "other"}}, refused="kernel.hostname"),
    Mutation(
        "sysctl: of the host's network",
        {**namespaces(without="network"), "linux.sysctl": {"net.ipv4.ip_forward": "1"}},
        refused="ip_forward",
    ),
    Mutation(
        "sysctl: of the host's ipc", {**namespaces(without="ipc"), "linux.sysctl": {"kernel.msgmax": "1"}}, refused="kernel.msgmax"
    ),
    Mutation("sysctl: not there", {"linux.sysctl": {"net.ipv4.nothing": "1"}}, refused="net.ipv4.nothing"),
    Mutation("sysctl: a bad value", {"linux.sysctl": {"net.ipv4.ip_forward": "perhaps"}}, refused="net.ipv4.ip_forward"),
    Mutation("sysctl: a number", {"linux.sysctl": {"net.ipv4.ip_forward": 1}}, refused="linux.sysctl.net.ipv4.ip_forward"),
    Mutation("sysctl: out of its directory", {"linux.sysctl": {"net.ipv4/../../kernel/panic": "0"}}, refused="linux.sysctl"),
]
SECCOMP = [
    Mutation("seccomp: nothing forbidden", seccomp()),
    Mutation("seccomp: an errno", seccomp(rule("mkdir", "mkdirat"))),
    Mutation("seccomp: another errno", seccomp(rule("mkdir", "mkdirat", errnoRet=28))),
    Mutation("seccomp: errno 0", seccomp(rule("mkdir", "mkdirat", errnoRet=0))),
    Mutation("seccomp: a killed process", seccomp(rule("mkdir", "mkdirat", action="SCMP_ACT_KILL_PROCESS"))),
    Mutation("seccomp: a killed thread", seccomp(rule("mkdir", "mkdirat", action="SCMP_ACT_KILL"))),
    Mutation("seccomp: a trap", seccomp(rule("mkdir", "mkdirat", action="SCMP_ACT_TRAP"))),
    Mutation("seccomp: a log", seccomp(rule("mkdir", "mkdirat", action="SCMP_ACT_LOG"))),
    Mutation("seccomp: a trace without a tracer", seccomp(rule("mkdir", "mkdirat", action="SCMP_ACT_TRACE", errnoRet=7))),
    Mutation(
        "seccomp: by an argument", seccomp(rule("mknodat", "mknod", args=[{"index": 1, "value": 0o10666, "op": "SCMP_CMP_EQ"}]))
    ),
    Mutation(
        "seccomp: by a masked argument",
        seccomp(rule("fchmodat", "chmod", args=[{"index": 1, "value": 0o700, "valueTwo": 0o700, "op": "SCMP_CMP_MASKED_EQ"}])),
    ),
    Mutation("seccomp: an unknown call", seccomp(rule("no_such_call"), rule("mkdir", "mkdirat"))),
    Mutation(
        "seccomp: all architectures", seccomp(rule("mkdir"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    ),
    Mutation("seccomp: with no_new_privs", {**seccomp(rule("mkdir")), "process.noNewPrivileges": True}),
    Mutation("seccomp: of a user", {**seccomp(rule("mkdir")), "process.user": {"uid": 1000, "gid": 1001}}),
    Mutation("seccomp: with flags", seccomp(rule("mkdir"), flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])),
    Mutation("seccomp: null", {"linux.seccomp": None}),
    Mutation(
        "seccomp: an unknown action", seccomp(rule("mkdir", action="SCMP_ACT_PRAY")), refused="linux.seccomp.syscalls[0].action"
    ),
    Mutation("seccomp: an unknown default", seccomp(default="SCMP_ACT_PRAY"), refused="linux.seccomp.defaultAction"),
    Mutation("seccomp: without a default", {"linux.seccomp": {"syscalls": []}}, refused="linux.seccomp.defaultAction"),
    Mutation(
        "seccomp: an unknown architecture", seccomp(architectures=["SCMP_ARCH_PDP11"]), refused="linux.seccomp.architectures[0]"
    ),
    Mutation(
        "seccomp: an unknown operator", seccomp(rule("mkdir", args=[{"index": 0, "value": 1, "op": "LIKE"}])), refused="args[0].op"
    ),
    Mutation(
        "seccomp: argument 6", seccomp(rule("mkdir", args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])), refused="args[0].index"
    ),
    Mutation(
        "seccomp: a number for an action without one",
        seccomp(rule("mkdir", action="SCMP_ACT_KILL", errnoRet=7)),
        refused="linux.seccomp.syscalls[0].errnoRet",
    ),
    Mutation("seccomp: an unknown flag", seccomp(flags=["SECCOMP_FILTER_FLAG_OF_PEACE"]), refused="linux.seccomp.flags[0]"),
    Mutation(
        "seccomp: notify without a listener", seccomp(rule("mkdir", action="SCMP_ACT_NOTIFY")), refused="linux.seccomp.listenerPath"
    ),
    Mutation("seccomp: notify by default", seccomp(default="SCMP_ACT_NOTIFY"), refused="linux.seccomp.defaultAction"),
]
OTHERS = [
    Mutation("personality: LINUX", {"linux.personality": {"domain": "LINUX"}}),
    Mutation("personality: LINUX32", {"linux.personality": {"domain": "LINUX32"}}),
    Mutation("personality: unknown", {"linux.personality": {"domain": "XENIX"}}, refused="linux.personality.domain"),
    Mutation(
        "intelRdt: the kernel has none", {"linux.intelRdt": {"closID": "one", "l3CacheSchema": "L3:0=f"}}, refused="linux.intelRdt"
    ),
    Mutation("linux: not given", {"linux": GONE}, refused="hostname"),
    Mutation("linux: text", {"linux": "yes"}, refused="linux"),
]
ROWS: list[Mutation] = [*NAMESPACES, *SYSCTLS, *SECCOMP, *OTHERS]
