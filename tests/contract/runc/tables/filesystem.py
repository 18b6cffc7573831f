"""Mutations of `root`, `mounts`, devices, and of paths that are masked or read-only."""

from __future__ import annotations

from typing import Any

from tests.contract.runc.mutation import GONE, Mutation


def mount(options: list[str], kind: str = "tmpfs", source: str = "tmpfs", destination: str = "/mnt", **more: Any) -> dict[str, Any]:
    return {"mounts+": [{"destination": destination, "type": kind, "source": source, "options": options, **more}]}


def bind(*options: str, source: str = "{source}", destination: str = "/mnt", **more: Any) -> dict[str, Any]:
    return mount(list(options), "bind", source, destination, **more)


def devices(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"linux.devices": list(rows)}


ROOT = [
    Mutation("root: read-only", {"root.readonly": True}),
    Mutation("root: by a relative path with dots", {"root.path": "./rootfs/../rootfs"}),
    Mutation("root: by an absolute path", {"root.path": "{bundle}/rootfs"}),
    Mutation("root: moved, not pivoted", {}, flags=("--no-pivot",)),
    Mutation("root: not there", {"root.path": "nowhere"}, refused="root.path"),
    Mutation("root: a file", {"root.path": "config.json"}, refused="root.path"),
    Mutation("root: empty path", {"root.path": ""}, refused="root.path"),
    Mutation("root: path not given", {"root": {}}, refused="root.path"),
    Mutation("root: not given", {"root": GONE}, refused="root"),
    Mutation("root: readonly as text", {"root.readonly": "yes"}, refused="root.readonly"),
    *(
        Mutation(f"rootfsPropagation: {word}", {"linux.rootfsPropagation": word})
        for word in ("shared", "slave", "private", "rshared", "rslave", "rprivate", "")
    ),
    *(Mutation(f"rootfsPropagation: {word}", {"linux.rootfsPropagation": word}) for word in ("unbindable", "runbindable")),
    Mutation("rootfsPropagation: unknown", {"linux.rootfsPropagation": "public"}, refused="linux.rootfsPropagation"),
]
OPTIONS = [
    Mutation(f"mount options of a tmpfs: {words}", mount([*words.split(","), "size=64k"]))
    for words in (
        "ro",
        "nosuid",
        "nodev",
        "noexec",
        "noatime",
        "nodiratime",
        "relatime",
        "strictatime",
        "norelatime",
        "sync",
        "dirsync",
        "lazytime",
        "nolazytime",
        "iversion",
        "silent",
        "ro,rw",
        "rw,ro",
        "nosuid,suid",
        "defaults",
        "mode=1711,uid=5,gid=6",
        "nr_inodes=9",
        "ro,nosuid,nodev,noexec,noatime",
        "acl",
        "mand",
        "nosymfollow",
        "sync,async",
        "noatime,atime",
        "nodev,dev",
        "nodiratime,diratime",
        "noexec,exec",
        "silent,loud",
        "iversion,noiversion",
        "mand,nomand",
        "strictatime,nostrictatime",
        "nosymfollow,symfollow",
        "acl,noacl",
    )
]
BINDS = [
    *(
        Mutation(f"mount options of a bind: {words}", bind(*words.split(",")))
        for words in (
            "bind",
            "rbind",
            "bind,ro",
            "rbind,ro",
            "rbind,nosuid",
            "rbind,nodev",
            "rbind,noexec",
            "rbind,noatime",
            "rbind,ro,rw",
            "rbind,rro",
            "rbind,rnoexec,rnosuid",
            "rbind,rshared",
            "rbind,rslave",
            "rbind,rprivate",
            "bind,shared",
            "bind,slave",
            "bind,private",
            "bind,unbindable",
            "rbind,runbindable",
            "rbind,ro,rprivate",
            "rbind,strictatime",
            "rbind,nodiratime",
            "rbind,rnodev,ro",
            "rbind,rnoatime",
            "rbind,nosymfollow",
            "rbind,ro,noexec,nosuid,nodev",
            "rbind,nosuid,rsuid",
            "rbind,nodev,rdev",
            "rbind,noexec,rexec",
            "rbind,ro,rrw",
            "rbind,nodiratime,rdiratime",
            "rbind,nosymfollow,rsymfollow",
            "rbind,noatime,ratime",
            "rbind,rnodiratime",
            "rbind,rnosymfollow",
            "rbind,rstrictatime",
            "rbind,noatime,rnostrictatime",
            "rbind,rrelatime",
            "rbind,rnorelatime",
            "rbind,nosuid,suid",
            "rbind,nodev,dev,noexec,exec",
        )
    ),
    Mutation("mounts: a bind of a file", bind("bind", source="{source}/file", destination="/mnt/new/file")),
    Mutation("mounts: a bind of a read-only file", bind("bind", "ro", source="{source}/file", destination="/etc/kept")),
    Mutation("mounts: a bind without its word", bind(), refused="mounts[7].options"),
    Mutation("mounts: type none with bind", mount(["rbind"], "none", "{source}")),
    Mutation("mounts: a bind of a relative source", bind("rbind", source="rootfs/srv")),
    Mutation("mounts: a bind of nothing", bind("rbind", source="/nowhere/at/all"), refused="/nowhere/at/all"),
    Mutation("mounts: a bind of a device", bind("bind", source="/dev/zero", destination="/dev/own-zero")),
    Mutation("mounts: a bind over /etc", bind("rbind", destination="/etc")),
]
MOUNTS = [
    Mutation("mounts: at a new path", mount(["size=64k"], destination="/made/for/it")),
    Mutation("mounts: at a link of the image", mount(["size=64k"], destination="/link/below")),
    Mutation("mounts: at a link of the kernel's", mount(["size=64k"], destination="/proc/self/cwd"), refused="/proc/self/cwd"),
    Mutation("mounts: with dots", mount(["size=64k"], destination="/srv/../mnt/./x")),
    Mutation("mounts: two at one place", {"mounts+": 2 * mount(["size=64k"])["mounts+"]}),
    Mutation("mounts: below another", {"mounts+": mount([])["mounts+"] + mount([], destination="/mnt/below")["mounts+"]}),
    Mutation("mounts: tmpcopyup", mount(["tmpcopyup", "size=1m"], destination="/srv")),
    Mutation("mounts: tmpfs without options", {"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "own"}]}),
    Mutation("mounts: tmpfs without a source", {"mounts+": [{"destination": "/mnt", "type": "tmpfs"}]}),
    Mutation("mounts: a second proc", mount(["nosuid"], "proc", "proc", "/mnt")),
    Mutation("mounts: a second sysfs", mount(["ro"], "sysfs", "sysfs", "/mnt")),
    Mutation("mounts: mqueue", mount([], "mqueue", "mqueue", "/mnt")),
    Mutation("mounts: a second devpts", mount(["newinstance", "mode=600"], "devpts", "devpts", "/mnt")),
    Mutation("mounts: cgroup at another place", mount(["ro"], "cgroup", "cgroup", "/mnt")),
    Mutation("mounts: cgroup to write", mount([], "cgroup", "cgroup", "/mnt")),
    Mutation("mounts: none", {"mounts": []}),
    Mutation("mounts: not given", {"mounts": GONE}),
    Mutation("mounts: an unknown type", mount([], "nofs"), refused="/mnt"),
    Mutation("mounts: an unknown option", mount(["nosuchoption"]), refused="/mnt"),
    Mutation("mounts: without destination", {"mounts+": [{"type": "tmpfs"}]}, refused="mounts[7].destination"),
    Mutation("mounts: a relative destination", mount([], destination="mnt/relative")),
    Mutation("mounts: an empty destination", mount([], destination=""), refused="mounts[7].destination"),
    Mutation("mounts: over a file", mount([], destination="/etc/passwd"), refused="/etc/passwd"),
    Mutation("mounts: options as text", mount("ro"), refused="mounts[7].options"),  # type: ignore[arg-type]
    Mutation("mounts: a number", {"mounts": 7}, refused="mounts"),
    Mutation("mounts: a bind at the root", bind("rbind", destination="/"), refused="mounts[7].destination"),
    Mutation("mounts: a remount", mount(["remount"]), refused="/mnt"),
    Mutation("mounts: a remount of what is there", {"mounts+": mount([])["mounts+"] + mount(["remount", "ro"])["mounts+"]}),
    Mutation(
        "mounts: a remount of a bind",
        {"mounts+": bind("rbind")["mounts+"] + mount(["remount", "bind", "ro", "nosuid"], "none", "")["mounts+"]},
    ),
    Mutation(
        "mounts: idmap",
        bind(
            "rbind",
            "idmap",
            uidMappings=[{"containerID": 0, "hostID": 5, "size": 1}],
            gidMappings=[{"containerID": 0, "hostID": 5, "size": 1}],
        ),
    ),
]
NULL = {"path": "/dev/own/null", "type": "c", "major": 1, "minor": 3}
DEVICES = [
    Mutation("devices: a node", devices({**NULL, "fileMode": 0o640, "uid": 3, "gid": 4})),
    Mutation("devices: without a mode", devices(NULL)),
    Mutation("devices: unbuffered", devices({**NULL, "type": "u", "fileMode": 0o600})),
    Mutation("devices: a block device", devices({"path": "/dev/own/disk", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600})),
    Mutation("devices: a pipe", devices({"path": "/dev/own/pipe", "type": "p", "fileMode": 0o622})),
    Mutation("devices: mode 0", devices({**NULL, "fileMode": 0})),
    Mutation("devices: outside of /dev", devices({**NULL, "path": "/mnt/null", "fileMode": 0o600})),
    Mutation("devices: in place of a default", devices({**NULL, "path": "/dev/zero", "fileMode": 0o600})),
    Mutation(
        "devices: one that the cgroup allows",
        {
            **devices({"path": "/dev/own/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666}),
            "linux.resources.devices+": [{"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}],
        },
    ),
    Mutation("devices: where another file is", devices({**NULL, "path": "/etc/kept"}), refused="/etc/kept"),
    Mutation("devices: unknown type", devices({**NULL, "type": "x"}), refused="linux.devices[0].type"),
    Mutation("devices: without a path", devices({"type": "c", "major": 1, "minor": 3}), refused="linux.devices[0].path"),
    Mutation("devices: numbers as text", devices({**NULL, "major": "1"}), refused="linux.devices[0].major"),
    Mutation("devices: a mode as text", devices({**NULL, "fileMode": "0600"}), refused="linux.devices[0].fileMode"),
]
COVERED = [
    Mutation("maskedPaths: none", {"linux.maskedPaths": []}),
    Mutation("maskedPaths: a file and a directory", {"linux.maskedPaths+": ["/etc/hidden", "/srv/deep", "/nowhere"]}),
    Mutation("maskedPaths: relative", {"linux.maskedPaths": ["etc/hidden"]}),
    Mutation("maskedPaths: a number", {"linux.maskedPaths": [1]}, refused="linux.maskedPaths[0]"),
    Mutation("readonlyPaths: none", {"linux.readonlyPaths": []}),
    Mutation("readonlyPaths: a file and a directory", {"linux.readonlyPaths+": ["/etc/kept", "/srv/deep", "/nowhere"]}),
    Mutation("readonlyPaths: relative", {"linux.readonlyPaths": ["etc/kept"]}),
    Mutation("readonlyPaths: text", {"linux.readonlyPaths": "/etc"}, refused="linux.readonlyPaths"),
    Mutation("masked and read-only", {"linux.maskedPaths": ["/etc/hidden"], "linux.readonlyPaths": ["/etc/hidden", "/etc"]}),
    Mutation("mountLabel: the kernel has none", {"linux.mountLabel": "a_u:b_r:c_t:s0"}, perhaps="linux.mountLabel"),
]
ROWS: list[Mutation] = [*ROOT, *OPTIONS, *BINDS, *MOUNTS, *DEVICES, *COVERED]
