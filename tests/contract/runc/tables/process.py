"""Mutations of `process` and of the document's own words: who the process is, what it may do, what it is given."""

from __future__ import annotations

from typing import Any

from tests.contract.runc.mutation import GONE, Mutation

MORE = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_KILL"]
SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")


def caps(*names: str, **own: list[str]) -> dict[str, Any]:
    """All sets with the same names, or their own."""
    return {"process.capabilities": {kind: own.get(kind, list(names)) for kind in SETS}}


def limit(kind: object, soft: object, hard: object) -> dict[str, Any]:
    return {"process.rlimits": [{"type": kind, "soft": soft, "hard": hard}]}


def shell(script: str) -> dict[str, Any]:
    return {"process.args": ["/bin/sh", "-c", script]}


ANN = {"uid": 1000, "gid": 1001}
CAPABILITIES = [
    Mutation("capabilities: docker's", caps(*MORE, ambient=[], inheritable=[])),
    Mutation("capabilities: in all sets", caps(*MORE)),
    Mutation("capabilities: none", caps()),
    Mutation("capabilities: not given", {"process.capabilities": GONE}),
    Mutation("capabilities: empty object", {"process.capabilities": {}}),
    Mutation("capabilities: bounding alone", caps(bounding=MORE)),
    Mutation("capabilities: effective without bounding", caps(effective=MORE, permitted=MORE)),
    Mutation("capabilities: inheritable alone", caps(inheritable=MORE), refused="capabilities"),
    Mutation("capabilities: ambient of a user", {**caps("CAP_NET_RAW", "CAP_KILL"), "process.user": ANN}),
    Mutation("capabilities: a user without ambient", {**caps(*MORE, ambient=[]), "process.user": ANN}),
    Mutation("capabilities: a user with bounding alone", {**caps(bounding=MORE), "process.user": ANN}),
    Mutation("capabilities: sys_admin mounts", caps("CAP_SYS_ADMIN", "CAP_SYS_NICE", "CAP_SYS_CHROOT")),
    Mutation("capabilities: unknown", caps("CAP_KILL", "CAP_OF_NOTHING")),
    Mutation("capabilities: written small", caps("cap_kill")),
    Mutation("capabilities: the newest", caps("CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE")),
    Mutation("capabilities: a word", {"process.capabilities": "all"}, refused="process.capabilities"),
    Mutation("capabilities: a number in a set", caps(bounding=[7]), refused="process.capabilities.bounding"),  # type: ignore[list-item]
]
IDENTITY = [
    Mutation("user: other", {"process.user": ANN}),
    Mutation("user: not listed", {"process.user": {"uid": 4242, "gid": 4243}}),
    Mutation("user: groups", {"process.user": {**ANN, "additionalGids": [5, 6, 1001]}}),
    Mutation("user: many groups", {"process.user": {**ANN, "additionalGids": list(range(2000, 2100))}}),
    Mutation("user: root with groups", {"process.user": {"uid": 0, "gid": 7, "additionalGids": [0, 8]}}),
    Mutation("user: umask", {"process.user": {"uid": 0, "gid": 0, "umask": 0o77}}),
    Mutation("user: umask 0", {"process.user": {"uid": 0, "gid": 0, "umask": 0}}),
    Mutation("user: highest id", {"process.user": {"uid": 2**31 - 1, "gid": 2**31 - 1}}),
    Mutation("user: not given", {"process.user": GONE}),
    Mutation("user: a negative uid", {"process.user.uid": -1}, refused="process.user.uid"),
    Mutation("user: a uid of 2**32", {"process.user.uid": 2**32}, refused="process.user.uid"),
    Mutation("user: a gid as text", {"process.user.gid": "0"}, refused="process.user.gid"),
    Mutation("user: groups as text", {"process.user.additionalGids": ["wheel"]}, refused="process.user.additionalGids"),
    Mutation("user: a negative umask", {"process.user.umask": -1}, refused="process.user.umask"),
    Mutation("oomScoreAdj: 500", {"process.oomScoreAdj": 500}),
    Mutation("oomScoreAdj: 0", {"process.oomScoreAdj": 0}),
    Mutation("oomScoreAdj: -1000", {"process.oomScoreAdj": -1000}, perhaps="process.oomScoreAdj"),
    Mutation("oomScoreAdj: 1001", {"process.oomScoreAdj": 1001}, refused="process.oomScoreAdj"),
    Mutation("oomScoreAdj: text", {"process.oomScoreAdj": "low"}, refused="process.oomScoreAdj"),
    Mutation("noNewPrivileges", {"process.noNewPrivileges": True}),
    Mutation("noNewPrivileges: of a user", {"process.noNewPrivileges": True, "process.user": ANN}),
    Mutation("noNewPrivileges: text", {"process.noNewPrivileges": "yes"}, refused="process.noNewPrivileges"),
    Mutation(
        "apparmorProfile: the kernel has none", {"process.apparmorProfile": "docker-default"}, perhaps="process.apparmorProfile"
    ),
    Mutation("selinuxLabel: the kernel has none", {"process.selinuxLabel": "a_u:b_r:c_t:s0"}, perhaps="selinux label"),
    Mutation("no new keyring", {}, flags=("--no-new-keyring",)),
]
LIMITS = [
    *(
        Mutation(f"rlimits: {kind}", limit(f"RLIMIT_{kind}", soft, hard), perhaps=f"RLIMIT_{kind}")
        for kind, soft, hard in (
            ("NOFILE", 100, 200),
            ("NPROC", 5000, 6000),
            ("CORE", 0, 0),
            ("AS", 1 << 34, 1 << 35),
            ("CPU", 100, 200),
            ("DATA", 1 << 33, 1 << 34),
            ("FSIZE", 1 << 30, 1 << 31),
            ("LOCKS", 10, 20),
            ("MEMLOCK", 65536, 131072),
            ("MSGQUEUE", 1000, 2000),
            ("NICE", 1, 2),
            ("RSS", 1 << 33, 1 << 34),
            ("RTPRIO", 1, 2),
            ("RTTIME", 10**6, 10**7),
            ("SIGPENDING", 100, 200),
            ("STACK", 1 << 20, 1 << 22),
        )
    ),
    Mutation("rlimits: infinity", limit("RLIMIT_CORE", 2**64 - 1, 2**64 - 1)),
    Mutation("rlimits: none", {"process.rlimits": GONE}),
    Mutation("rlimits: of a user", {**limit("RLIMIT_NOFILE", 100, 200), "process.user": ANN}),
    Mutation("rlimits: unknown", limit("RLIMIT_HOPE", 1, 1), refused="process.rlimits[0].type"),
    Mutation("rlimits: without its prefix", limit("NOFILE", 1, 1), refused="process.rlimits[0].type"),
    Mutation("rlimits: soft above hard", limit("RLIMIT_NOFILE", 200, 100), refused="RLIMIT_NOFILE"),
    Mutation("rlimits: above the kernel's", limit("RLIMIT_NOFILE", 2**40, 2**40), refused="RLIMIT_NOFILE"),
    Mutation("rlimits: negative", limit("RLIMIT_NOFILE", -1, -1), refused="process.rlimits[0].soft"),
    Mutation("rlimits: text", limit("RLIMIT_NOFILE", "1", "1"), refused="process.rlimits[0].soft"),
    Mutation(
        "rlimits: twice", {"process.rlimits": 2 * [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]}, refused="process.rlimits[1]"
    ),
]
PROGRAM = [
    Mutation("args: words", {"process.args": ["/bin/probe", "a b", "", "ü", "'"]}),
    Mutation("args: by PATH", {"process.args": ["probe"]}),
    Mutation("args: exit status", shell("exit 42")),
    Mutation("args: exit status 255", shell("exit 255")),
    Mutation("args: killed", shell("kill -KILL $$")),
    Mutation("args: killed by TERM", shell("trap - TERM; kill -TERM $$; sleep 1; exit 3")),
    Mutation("args: not found", {"process.args": ["/bin/nothing"]}, refused="/bin/nothing"),
    Mutation("args: not on PATH", {"process.args": ["nothing"]}, refused="nothing"),
    Mutation("args: not executable", {"process.args": ["/etc/passwd"]}, refused="/etc/passwd"),
    Mutation("args: a directory", {"process.args": ["/bin"]}, refused="/bin"),
    Mutation("args: relative", {"process.args": ["./bin/probe"]}),
    Mutation("args: a daemon is left", shell("sleep 100 & echo said")),
    Mutation("args: empty", {"process.args": []}, refused="process.args"),
    Mutation("args: empty word", {"process.args": [""]}, refused='exec: ""'),
    Mutation("args: not given", {"process.args": GONE}, refused="process.args"),
    Mutation("args: a word", {"process.args": "/bin/probe"}, refused="process.args"),
    Mutation("args: a zero byte", {"process.args": ["/bin/probe", "a\0b"]}, refused="process.args"),
    Mutation("env: values", {"process.env": ["PATH=/bin", "A=b=c", "EMPTY=", "SPACE= x ", "Ü=ü"]}),
    Mutation("env: none", {"process.env": []}),
    Mutation("env: not given", {"process.env": GONE}),
    Mutation("env: twice", {"process.env": ["PATH=/bin", "A=1", "B=2", "A=3"]}),
    Mutation("env: HOME", {"process.env": ["PATH=/bin", "HOME=/elsewhere"]}),
    Mutation("env: HOME of a user", {"process.env": ["PATH=/bin"], "process.user": ANN}),
    Mutation("env: HOME is empty", {"process.env": ["PATH=/bin", "HOME="]}),
    Mutation("env: PATH leads elsewhere", {"process.env": ["PATH=/nowhere:/bin"], "process.args": ["probe"]}),
    Mutation("env: a word alone", {"process.env": ["PATH=/bin", "WORD"]}, refused="process.env[1]"),
    Mutation("env: a number", {"process.env": [1]}, refused="process.env"),
    Mutation("cwd: other", {"process.cwd": "/srv/deep"}),
    Mutation("cwd: made", {"process.cwd": "/made/here"}),
    Mutation("cwd: made for a user", {"process.cwd": "/made/here", "process.user": ANN}),
    Mutation("cwd: with dots", {"process.cwd": "/srv/../srv/./deep/"}),
    Mutation("cwd: relative", {"process.cwd": "srv"}, refused="process.cwd"),
    Mutation("cwd: empty", {"process.cwd": ""}, refused="process.cwd"),
    Mutation("cwd: not given", {"process.cwd": GONE}, refused="process.cwd"),
    Mutation("cwd: a file", {"process.cwd": "/etc/passwd"}, refused="/etc/passwd"),
    Mutation("terminal", {"process.terminal": True}),
    Mutation("terminal: with a size", {"process.terminal": True, "process.consoleSize": {"height": 33, "width": 77}}),
    Mutation("terminal: of a user", {"process.terminal": True, "process.user": ANN}),
    Mutation("terminal: a number", {"process.terminal": 1}, refused="process.terminal"),
    Mutation("consoleSize: without a terminal", {"process.consoleSize": {"height": 33, "width": 77}}),
    Mutation("preserved descriptors", {}, flags=("--preserve-fds", "2")),
    Mutation("process: not given", {"process": GONE}, refused="process"),
    Mutation("process: a list", {"process": []}, refused="process"),
]
SCHEDULING = [
    Mutation("scheduler: batch", {"process.scheduler": {"policy": "SCHED_BATCH", "nice": 5}}),
    Mutation("scheduler: idle", {"process.scheduler": {"policy": "SCHED_IDLE"}}),
    Mutation("ioPriority: best effort", {"process.ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}}),
    Mutation("execCPUAffinity", {"process.execCPUAffinity": {"initial": "0", "final": "0-1"}}),
]
WHOLE = [
    Mutation("ociVersion: 1.0.0", {"ociVersion": "1.0.0"}),
    Mutation("ociVersion: 1.1.0", {"ociVersion": "1.1.0"}),
    Mutation("ociVersion: 2.0.0", {"ociVersion": "2.0.0"}, refused="ociVersion"),
    Mutation("ociVersion: a word", {"ociVersion": "newest"}, refused="ociVersion"),
    Mutation("ociVersion: empty", {"ociVersion": ""}, refused="ociVersion"),
    Mutation("ociVersion: a number", {"ociVersion": 1}, refused="ociVersion"),
    Mutation("unknown keys", {"nothing": {"of": 1}, "process.nothing": 1, "linux.nothing": []}),
    Mutation("windows beside linux", {"windows": {"layerFolders": ["C:/"]}}),
    Mutation("hostname", {"hostname": "elsewhere"}),
    Mutation("hostname: not given", {"hostname": GONE}),
    Mutation("hostname: empty", {"hostname": ""}),
    Mutation("hostname: 64 letters", {"hostname": "h" * 64}),
    Mutation("hostname: 65 letters", {"hostname": "h" * 65}, refused="hostname"),
    Mutation("hostname: a number", {"hostname": 7}, refused="hostname"),
    Mutation("domainname", {"domainname": "example.org"}),
    Mutation("annotations", {"annotations": {"org.example.a": "b", "c": ""}}),
    Mutation("annotations: a number", {"annotations": {"a": 1}}, refused="annotations.a"),
    Mutation("annotations: a list", {"annotations": []}, refused="annotations"),
]
ROWS: list[Mutation] = [*CAPABILITIES, *IDENTITY, *LIMITS, *PROGRAM, *SCHEDULING, *WHOLE]
