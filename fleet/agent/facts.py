"""What this host is, mostly read from files: docs/exchange.md draws the document."""

import os
import sys

from fleet.agent import checksum, process, storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

PATHS = "/var/lib", "/opt"
PYTHONS = "python3", "platform-python"  # and the first with a minor version
COMPAT = "X-Skiff=compat"
MANAGED = "X-Skiff=engine"  # a line of the drop-in that stays where Skiff set up Docker's own engine
DROP_IN = "/etc/systemd/system/docker.service.d/skiff.conf"
DAEMON_JSON = "/etc/docker/daemon.json"
# Those of release 7 that a role decides by.
PARAMETERS = "fs.may_detach_mounts", "user.max_user_namespaces"
CGROUPS = "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"  # version 2, 1, hybrid
UNIT_FOLDERS = "/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"


def gather() -> "Dict[str, Any]":
    """All facts."""
    uname = os.uname()
    flags, mounted = _cpu_flags(), storage.mounts()
    return {
        "hostname": uname.nodename,
        "machine": _machine(),
        "uid": os.geteuid(),
        "os": _os_release(),
        "kernel": uname.release,
        "arch": uname.machine,
        "python": {"path": sys.executable or "", "version": list(sys.version_info[:3])},
        "pythons": _pythons(),
        "package_manager": next((name for name in ("dnf", "yum") if process.which(name)), None),
        "cgroup": _cgroup(mounted),
        "overlay": _has_module("overlay", uname.release, "overlay" in read("/proc/filesystems").split()),
        "br_netfilter": _has_module("br_netfilter", uname.release, os.path.isdir("/proc/sys/net/bridge")),
        "sysctls": _sysctls(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "virtualisation": _virtualisation(flags),
        "cpu_flags": [flag for flag in ("vmx", "svm") if flag in flags],
        "kvm": os.path.exists("/dev/kvm"),
        "nested": _nested(flags),
        "selinux": _selinux(),
        "firewalld": _firewalld(),
        "storage": [storage.describe(path, mounted) for path in PATHS],
        "memory": _memory(),
        "cpus": os.cpu_count() or 1,
        "docker": _docker(),
    }


def read(path: str) -> str:
    """A file's text, empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def listed(folder: str, suffix: str) -> "List[str]":
    """The paths of a directory's files whose names end so, hidden ones left out; none where there is no such directory."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(suffix) and name[0] != "."]


def _machine() -> str:
    """What tells this host from others, drawn from its machine id, which itself is to stay here (machine-id(5))."""
    found = read("/etc/machine-id").strip()
    return checksum.of(b"skiff " + found.encode("utf-8", "replace"))[:32] if found else ""


def _os_release() -> "Dict[str, Any]":
    found = {}
    for line in (read("/etc/os-release") or read("/usr/lib/os-release")).splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return {
        "id": found.get("ID", "unknown"),
        "id_like": found.get("ID_LIKE", "").split(),
        "version_id": found.get("VERSION_ID", ""),
        "pretty_name": found.get("PRETTY_NAME", found.get("NAME", "unknown")),
    }


def _pythons() -> "List[Dict[str, Any]]":
    """Every Python 3 on the way, once: those of other files than this one are asked for their version."""
    own = os.path.realpath(sys.executable)
    found, paths = {own: [str(part) for part in sys.version_info[:3]]}, {own: sys.executable}
    for folder in _program_folders():
        # The beginning is looked at first: a directory has thousands of names.
        for name in sorted(name for name in os.listdir(folder) if name.startswith(PYTHONS) and _is_python(name)):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if real not in paths and os.access(path, os.X_OK):
                paths[real] = path
                found[real] = _version(path)
    return [{"path": paths[real], "version": [int(part) for part in found[real]]} for real in paths if len(found[real]) == 3]


def _program_folders() -> "List[str]":
    """Where programs lie, each directory once, by whichever name comes first."""
    found: "Dict[Tuple[int, int], str]" = {}
    for folder in [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/libexec"]:
        if os.path.isdir(folder):
            there = os.stat(folder)
            found.setdefault((there.st_dev, there.st_ino), folder)
    return list(found.values())


def _is_python(name: str) -> bool:
    stem, dot, minor = name.partition(".")
    return stem in PYTHONS and (minor.isdigit() if dot else True)


def _version(path: str) -> "List[str]":
    """What a Python says of itself; nothing where it does not start, is a wrapper that waits, or lies on a dead file system."""
    return process.run([path, "-IBS", "-c", "import sys;print(*sys.version_info[:3])"], 30).stdout.split()


def _cgroup(mounted: "List[storage.Mount]") -> str:
    types = {mount.point: mount.type for mount in mounted}
    if types.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    return "hybrid" if types.get("/sys/fs/cgroup/unified") == "cgroup2" else "v1"


def _has_module(name: str, release: str, loaded: bool) -> bool:
    """Whether a kernel module is there: loaded, built in, or to be loaded."""
    if loaded or os.path.isdir("/sys/module/" + name):
        return True
    folder = "/lib/modules/" + release
    return any("/{}.ko".format(name) in read(os.path.join(folder, index)) for index in ("modules.builtin", "modules.dep"))


def _sysctls() -> "Dict[str, str]":
    """The live values of the parameters that this kernel has."""
    values = [(name, read("/proc/sys/" + name.replace(".", "/")).strip()) for name in PARAMETERS]
    return {name: value for name, value in values if value}


def _cpu_flags() -> "Set[str]":
    """Those of the first processor; none where the architecture names none of that name."""
    return set(read("/proc/cpuinfo").partition("\nflags")[2].partition("\n")[0].split())


def _virtualisation(flags: "Set[str]") -> str:
    container = read("/run/systemd/container").strip()
    if container:
        return container
    maker = read("/sys/class/dmi/id/sys_vendor") + read("/sys/class/dmi/id/product_name")
    known = (("KVM", "kvm"), ("QEMU", "qemu"), ("VMware", "vmware"), ("VirtualBox", "oracle"), ("Microsoft", "microsoft"),
             ("Xen", "xen"), ("Amazon EC2", "amazon"), ("Google", "google"))  # fmt: skip
    for word, name in known:
        if word in maker:
            return name
    return "unknown" if "hypervisor" in flags else "none"


def _nested(flags: "Set[str]") -> "Optional[bool]":
    """Whether KVM lets this host's virtual machines run their own; None where no such module is loaded."""
    for flag, module in (("vmx", "kvm_intel"), ("svm", "kvm_amd")):
        if flag in flags:
            said = read("/sys/module/{}/parameters/nested".format(module)).strip()
            return said in ("Y", "1") if said else None
    return None


def _selinux() -> "Dict[str, Any]":
    enforce = read("/sys/fs/selinux/enforce").strip()
    modes = map(selinux_mode, read("/etc/selinux/config").splitlines())
    return {
        "mode": {"1": "enforcing", "0": "permissive"}.get(enforce, "disabled"),
        "file": next(filter(None, modes), None),
        "kernel_args": "selinux=0" in read("/proc/cmdline").split(),
    }


def selinux_mode(line: str) -> "Optional[str]":
    """The mode that a line of SELinux's file sets, as libselinux reads it: no space before the sign, the value by its beginning."""
    name, equals, value = line.partition("=")
    if not equals or name != "SELINUX":
        return None
    said = value.lstrip().lower()
    return next((mode for mode in ("enforcing", "permissive", "disabled") if said.startswith(mode)), None)


def _firewalld() -> "Dict[str, Any]":
    if not any(os.path.exists(os.path.join(folder, "firewalld.service")) for folder in UNIT_FOLDERS[1:]):
        return {"installed": False, "active": "inactive", "enabled": "not-found"}
    # systemd's own word would cost it and us as much as all other facts together.
    runs = any(read(os.path.join(folder, "system.slice/firewalld.service/cgroup.procs")) for folder in CGROUPS)
    wants = [name for name in os.listdir(UNIT_FOLDERS[0]) if name.endswith(".wants")]
    links = [os.path.join(UNIT_FOLDERS[0], name, "firewalld.service") for name in wants]
    enabled = "enabled" if any(map(os.path.lexists, links)) else "disabled"
    masked = os.path.realpath(os.path.join(UNIT_FOLDERS[0], "firewalld.service")) == os.devnull
    return {"installed": True, "active": "active" if runs else "inactive", "enabled": "masked" if masked else enabled}


def _memory() -> int:
    words = read("/proc/meminfo").split()  # MemTotal: 1234 kB ...
    return int(words[1]) * 1024 if words[:1] == ["MemTotal:"] else 0


def _docker() -> "Dict[str, Any]":
    paths = [os.path.join(folder, "docker.service") for folder in UNIT_FOLDERS]
    texts = [read(path) for path in paths if os.path.basename(os.path.realpath(path)) == "docker.service"]
    compat = any(COMPAT in text for text in texts)
    unit = any(text and COMPAT not in text for text in texts)
    sock = "absent"
    if os.path.lexists("/run/docker.sock"):
        sock = "skiff" if compat else "foreign"
    managed = MANAGED in read(DROP_IN)
    return {"unit": unit, "socket": sock, "compat": compat, "managed": managed, "root": _data_root(read(DAEMON_JSON))}


def _data_root(text: str) -> "Optional[str]":
    """The data root that a daemon.json names, even if it is no JSON as a whole; None where its text is no plain path."""
    before, _, after = text.partition('"data-root"')[2].partition(":")
    value = after.lstrip()
    path, quote, _ = value[1:].partition('"')
    plain = not before.strip() and value[:1] == '"' and quote and path and "\\" not in path
    return path if plain else None
