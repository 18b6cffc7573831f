"""What the host's kernel lacks, in the words by which dockerd warns of it and `docker info` prints it."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Tuple

from fleet.checks import CRITICAL, INFO, WARNING, Check, Claim

KERNEL = "grubby --info=ALL  # start a kernel of the release's own"
PROVISION = "./inv provision --hosts {host} --roles kernel"

# The field of `info` that is false where the engine warns, its words, and the claim.
Row = Tuple[str, str, Claim]


def row(name: str, field: str, words: str, title: str, breaks: str, cure: str, severity: str = WARNING) -> Row:
    """One thing that an engine warns of."""
    return field, words, Claim(name, title, breaks, cure, severity, ("info",))


def controller(name: str) -> str:
    """How a controller comes back that the kernel's command line switches off."""
    return f"grubby --update-kernel=ALL --remove-args=cgroup_disable={name} && reboot"


ROWS: Tuple[Row, ...] = (
    row(
        "memory_limit",
        "MemoryLimit",
        "No memory limit support",
        "Memory can be limited",
        "a container can take all of the host's memory",
        controller("memory"),
        CRITICAL,
    ),
    row(
        "swap_limit",
        "SwapLimit",
        "No swap limit support",
        "Swap can be limited",
        "a container that may take no more memory goes on in swap",
        "grubby --update-kernel=ALL --args=swapaccount=1 && reboot",
    ),
    row(
        "oom_kill_disable",
        "OomKillDisable",
        "No oom kill disable support",
        "The OOM killer can be told to spare a container",
        "--oom-kill-disable is ignored",
        KERNEL,
        INFO,
    ),
    row(
        "cpu_cfs_quota",
        "CpuCfsQuota",
        "No cpu cfs quota support",
        "CPU quotas can be set",
        "--cpus and --cpu-quota limit nothing",
        KERNEL,
    ),
    row(
        "cpu_cfs_period",
        "CpuCfsPeriod",
        "No cpu cfs period support",
        "CPU periods can be set",
        "--cpus and --cpu-period limit nothing",
        KERNEL,
    ),
    row(
        "cpu_shares",
        "CPUShares",
        "No cpu shares support",
        "CPU shares can be set",
        "--cpu-shares divides nothing",
        controller("cpu"),
    ),
    row(
        "cpuset",
        "CPUSet",
        "No cpuset support",
        "Containers can be bound to CPUs",
        "--cpuset-cpus and --cpuset-mems bind nothing",
        controller("cpuset"),
    ),
    row(
        "ipv4_forwarding",
        "IPv4Forwarding",
        "IPv4 forwarding is disabled",
        "IPv4 packets are forwarded",
        "containers reach nothing but the host",
        PROVISION,
        CRITICAL,
    ),
    row(
        "bridge_nf_iptables",
        "BridgeNfIptables",
        "bridge-nf-call-iptables is disabled",
        "Bridged packets pass iptables",
        "packets between containers of one bridge pass the host's rules by",
        PROVISION,
    ),
    row(
        "bridge_nf_ip6tables",
        "BridgeNfIp6tables",
        "bridge-nf-call-ip6tables is disabled",
        "Bridged packets pass ip6tables",
        "the same in IPv6",
        PROVISION,
    ),
)
BLKIO = Claim(
    "blkio_support",
    "Limits of disks are supported",
    "--blkio-weight and --device-read-bps and their like limit nothing",
    KERNEL,
    INFO,
    ("info",),
)
OTHERS = Claim("engine_warnings", "The engine warns of nothing else", "what it says", "{engine} info", WARNING, ("info",))
CLAIMS = (*(one for _, _, one in ROWS), BLKIO, OTHERS)
DISKS = ("No blkio ", "No io.")


def judge(info: Mapping[str, Any], engine: str) -> List[Check]:
    """A check for each warning, and one for all that are not known here."""
    said = list(warnings(info))
    known = {words for _, words, _ in ROWS}
    disks = [text for text in said if text.startswith(DISKS)]
    others = [text for text in said if text not in known and text not in disks]
    return [
        *(one.judged(words not in said, f"WARNING: {words}" if words in said else "") for _, words, one in ROWS),
        BLKIO.judged(not disks, "; ".join(f"WARNING: {text}" for text in disks)),
        OTHERS.judged(not others, "; ".join(others) or "no warnings", engine=engine),
    ]


def warnings(info: Mapping[str, Any]) -> Iterator[str]:
    """What the engine warns of; of one that is too old to say, what docker's client would conclude from its fields."""
    if "Warnings" in info:
        for text in info["Warnings"] or ():
            yield str(text).partition("WARNING: ")[2] or str(text)
        return
    for field, words, _ in ROWS:
        # Disabling the OOM killer is a thing of control groups version 1 alone.
        if info.get(field) is False and not (field == "OomKillDisable" and str(info.get("CgroupVersion")) == "2"):
            yield words
