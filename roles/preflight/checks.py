"""What a container host needs of its kernel, clock and disks, looked at by the agent itself in `verify`."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional

from fleet.checks import CRITICAL, VERIFY, WARNING, Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.preflight import room
from roles.seen import seen

# Without the first no container starts or is limited; without the others an option does nothing (moby's check-config.sh).
NEEDED = {"v1": ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory"), "v2": ("cpu", "cpuset", "memory")}
OPTIONAL = {"v1": ("blkio", "pids"), "v2": ("io", "pids")}
# Seconds: certificates and logs suffer beyond the first, TLS and tokens beyond the second.
SKEW, FAR = 2.0, 60.0
# overlayfs takes no upper layer on these, or not reliably (Documentation/filesystems/overlayfs.rst).
UNFIT = ("overlay", "aufs", "nfs", "nfs4", "cifs", "smb3", "vfat", "exfat", "fuse", "ecryptfs", "9p")

NAMESPACES = Claim(
    "namespaces",
    "The kernel makes all six namespaces",
    "no container starts, or it shares with the host what it should not",
    "sysctl user  # no maximum may be 0; else start a kernel of the release's own, as grubby --info=ALL names them",
    probes=("namespaces",),
)
CONTROLLERS = Claim(
    "cgroup_controllers",
    "Every control group controller can be used",
    "limits do not hold; without blkio, io or pids (a warning) some options do nothing",
    "grubby --update-kernel=ALL --remove-args=cgroup_disable && reboot  # where /proc/cmdline has it; else: mount | grep cgroup",
    probes=("cgroups",),
)
BACKING = Claim(
    "overlay_backing",
    "The data root's file system carries overlays",
    "no container gets a root",
    "findmnt --target {root}  # set {variable} to a path on ext4, or on xfs made by mkfs.xfs -n ftype=1",
    probes=("copy_on_write",),
)
COPIES = Claim(
    "copy_on_write",
    "A write in an overlay's upper layer leaves the lower one",
    "containers change the image that others run from, or none starts",
    "modprobe overlay; df -h {root}; dmesg | tail",
    probes=("copy_on_write",),
)
CLOCK = Claim(
    "clock",
    "The clock is the control machine's",
    "over 60 s TLS and tokens are refused; over 2 s (a warning) logs of hosts do not fit together",
    "dnf -y install chrony && systemctl enable --now chronyd && chronyc makestep",
    probes=("clock",),
)
DRIFT = Claim(
    "drift",
    "Nothing was changed since the last provision",
    "somebody works on the host by hand, and the next provision, or nobody, takes it back",
    "./inv plan --hosts {host}  # what provision brings back; `last` on the host tells who was there",
    WARNING,
    ("drift",),
)
CLAIMS = (NAMESPACES, CONTROLLERS, BACKING, COPIES, CLOCK, *room.CLAIMS, DRIFT)


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The agent's looks, all of them for `verify` alone."""
    root = engine.data_root(facts, variables)
    wanted = {version: [*NEEDED[version], *OPTIONAL[version]] for version in NEEDED}
    return [
        Probe("namespaces", when=VERIFY, look="namespaces"),
        Probe("cgroups", when=VERIFY, look="cgroups", given=wanted),
        Probe("copy_on_write", when=VERIFY, look="copy_on_write", given={"root": root}),
        Probe("clock", when=VERIFY, look="clock"),
        Probe("room", when=VERIFY, look="room", given={"paths": [root, *room.PATHS]}),
        Probe("drift", when=VERIFY, look="drift"),
    ]


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """Those that were looked at."""
    found: List[Check] = []
    for name, judged in JUDGES.items():
        if name in outcomes:
            found += judged(facts, variables, *seen(outcomes[name]))
    return found


def judge_namespaces(facts: Facts, variables: Variables, answer: Optional[Mapping[str, str]], fault: str) -> List[Check]:
    """Each kind that could not be made, with the kernel's reason."""
    if answer is None:
        return [NAMESPACES.judged(False, fault)]
    broken = [f"{kind}: {why}" for kind, why in answer.items() if why]
    return [NAMESPACES.judged(not broken, "; ".join(broken) or ", ".join(answer), ", ".join(answer))]


def judge_controllers(facts: Facts, variables: Variables, answer: Optional[Mapping[str, Any]], fault: str) -> List[Check]:
    """Those that are missing; a warning where only optional ones are."""
    if answer is None:
        return [CONTROLLERS.judged(False, fault)]
    controllers: Mapping[str, str] = answer["controllers"]
    broken = [name for name, why in controllers.items() if why]
    optional = OPTIONAL["v2" if answer["version"] == 2 else "v1"]
    told = "; ".join(f"{name}: {controllers[name]}" for name in broken) or ", ".join(controllers)
    severity = WARNING if broken and set(broken) <= set(optional) else CRITICAL
    return [CONTROLLERS.judged(not broken, f"version {answer['version']}: {told}", ", ".join(controllers), severity)]


def judge_overlay(facts: Facts, variables: Variables, answer: Optional[Mapping[str, Any]], fault: str) -> List[Check]:
    """The file system below the data root, and what an overlay on it did."""
    words = {
        "root": engine.data_root(facts, variables),
        "variable": "docker_data_root" if engine.is_docker(variables) else "data_root",
    }
    if answer is None or not answer["there"]:
        return [COPIES.judged(False, fault or f"there is no {words['root']}", "an overlay mounted there", **words)]
    kind = str(answer["type"]) + {True: " with ftype=1", False: " with ftype=0"}.get(answer["ftype"], "")
    fit = answer["type"].partition(".")[0] not in UNFIT and answer["ftype"] is not False
    return [
        BACKING.judged(fit, f"{words['root']} lies on {kind}", "ext4, xfs with ftype=1, or another that overlayfs takes", **words),
        COPIES.judged(
            not answer["overlay"], answer["overlay"] or "a file changed and a file removed", "both as they were", **words
        ),
    ]


def judge_clock(facts: Facts, variables: Variables, answer: Optional[Mapping[str, float]], fault: str) -> List[Check]:
    """The skew; as much of it as the round trip may have made up is given the benefit of the doubt."""
    if answer is None:
        return [CLOCK.judged(False, fault)]
    skew, error = float(answer["skew"]), abs(float(answer["error"]))
    sure = abs(skew) - error
    told = f"{abs(skew):.3f} s {'ahead' if skew > 0 else 'behind'}, to within {error:.3f} s"
    return [CLOCK.judged(sure <= SKEW, told, f"at most {SKEW:g} s", CRITICAL if sure > FAR else WARNING)]


def judge_room(facts: Facts, variables: Variables, answer: Optional[List[Dict[str, Any]]], fault: str) -> List[Check]:
    """Bytes and inodes of the file systems that matter."""
    return room.judge(answer, fault)


def judge_drift(facts: Facts, variables: Variables, answer: Optional[Mapping[str, Any]], fault: str) -> List[Check]:
    """Each resource that is not as it was left; of a host that was never provisioned nothing is known."""
    if answer is None:
        return [DRIFT.judged(False, fault)]
    found = [f"{one['id']} ({one['what']})" for one in answer["drift"]]
    return [DRIFT.judged(not found, "; ".join(found) or f"{answer['known']} changes are as they were left")]


Judge = Callable[[Facts, Variables, Any, str], List[Check]]
JUDGES: Dict[str, Judge] = {
    "namespaces": judge_namespaces,
    "cgroups": judge_controllers,
    "copy_on_write": judge_overlay,
    "clock": judge_clock,
    "room": judge_room,
    "drift": judge_drift,
}
