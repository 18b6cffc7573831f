"""What this host is, mostly read from files: docs/exchange.md draws the document."""

import hashlib
import os
import re
import sys

from fleet.agent import process, storage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any, Dict, List, Optional, Set

PATHS = "/var/lib", "/opt"
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
    flags = _cpu_flags()
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
        "cgroup": _cgroup(),
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
        "storage": [storage.describe(path) for path in PATHS],
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


def _machine() -> str:
    """What tells this host from others, drawn from its machine id, which itself is to stay here (machine-id(5))."""
    found = read("/etc/machine-id").strip()
    return hashlib.sha256(b"skiff " + found.encode("utf-8", "replace")).hexdigest()[:32] if found else ""


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
    """Every Python 3 on the way, once: those of other files than this one are asked for their version, all at once."""
    own = os.path.realpath(sys.executable)
    found, asked = {own: [str(part) for part in sys.version_info[:3]]}, {}
    paths = {own: sys.executable}
    for folder in [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/libexec"]:
        for name in sorted(filter(_is_python, os.listdir(folder))) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if real not in paths and os.access(path, os.X_OK):
                paths[real] = path
                asked[real] = _ask_version(path)
    for real, child in asked.items():
        said = _answer(child).split() if child is not None else []
        if len(said) == 3:
            found[real] = said
    return [{"path": paths[real], "version": [int(part) for part in found[real]]} for real in paths if real in found]


def _is_python(name: str) -> bool:
    stem, dot, minor = name.partition(".")
    return stem in ("python3", "platform-python") and (minor.isdigit() if dot else True)


def _ask_version(path: str) -> "Optional[subprocess.Popen[bytes]]":
    import subprocess  # slow to import, and few hosts have another Python

    script = "import sys;print(*sys.version_info[:3])"
    try:
        return subprocess.Popen(
            [path, "-IBS", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _answer(child: "subprocess.Popen[bytes]") -> str:
    import subprocess

    try:
        return child.communicate(timeout=30)[0].decode("ascii", "replace")
    except subprocess.TimeoutExpired:  # a wrapper that waits for something, or a dead network file system
        child.kill()
        return ""


def _cgroup() -> str:
    types = {mount.point: mount.type for mount in storage.mounts()}
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
    lines = [line.partition("=") for line in read("/etc/selinux/config").splitlines()]
    written = [value.split() for name, _, value in lines if name.strip() == "SELINUX"]
    return {
        "mode": {"1": "enforcing", "0": "permissive"}.get(enforce, "disabled"),
        "file": written[0][0].lower() if written and written[0] else None,
        "kernel_args": "selinux=0" in read("/proc/cmdline").split(),
    }


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
    root = re.search(r'"data-root"\s*:\s*"([^"\\]+)"', read(DAEMON_JSON))
    managed = MANAGED in read(DROP_IN)
    return {"unit": unit, "socket": sock, "compat": compat, "managed": managed, "root": root.group(1) if root else None}
