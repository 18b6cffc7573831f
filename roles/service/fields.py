"""The fields of `info` that daemon.json or the inventory has a say in, each held against what was declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Optional, Tuple

from fleet.checks import INFO, WARNING, Check, Claim
from fleet.facts import Facts
from fleet.secret import holds_secret
from fleet.variables import Variables
from roles import engine
from roles.daemon_config import docker as docker_config
from roles.daemon_config import role as skiff_config

DRIVERS = ("overlay2", "overlayfs")  # overlayfs by dockerd's name where containerd keeps the images: from 29.0 on
CGROUP_DRIVERS = ("cgroupfs", "systemd")
LOOPBACK = ("127.0.0.0/8", "::1/128")
PROVISION = "./inv provision --hosts {host} --roles daemon_config,service"
INSPECT = "systemctl status {engine}; journalctl -u {engine} -n 50"

Info = Mapping[str, Any]
# Whether it is as declared, what was found, what is expected.
Verdict = Tuple[bool, str, str]


@dataclass(frozen=True)
class Declared:
    """What is declared of an engine: its options by dockerd's names, and the host that it runs on."""

    facts: Facts
    variables: Variables
    options: Mapping[str, Any]

    def has(self, option: str) -> bool:
        """Whether an option is declared in clear: nothing that holds a secret is compared."""
        return option in self.options and not holds_secret(self.options[option])


def declared(facts: Facts, variables: Variables) -> Declared:
    """What this host's variables declare."""
    options = docker_config.options(variables) if engine.is_docker(variables) else skiff_config.options(variables)
    return Declared(facts, variables, options[0])


def storage_driver(info: Info, want: Declared) -> Verdict:
    """overlay2, or what is declared."""
    wanted = (str(want.options["storage-driver"]),) if want.has("storage-driver") else DRIVERS
    return info.get("Driver") in wanted, str(info.get("Driver")), " or ".join(wanted)


def d_type(info: Info, _: Declared) -> Optional[Verdict]:
    """Whether the backing file system tells entries' types, where the driver says so."""
    status = {str(row[0]): str(row[1]) for row in info.get("DriverStatus") or () if len(row) == 2}
    if "Supports d_type" not in status:
        return None
    backing = status.get("Backing Filesystem", "unknown")
    return status["Supports d_type"] == "true", f"{status['Supports d_type']}, on {backing}", "true"


def cgroup_driver(info: Info, want: Declared) -> Verdict:
    """The driver that exec-opts name, or one of the two that there are."""
    named = [str(one).partition("native.cgroupdriver=")[2] for one in want.options.get("exec-opts") or ()]
    wanted = tuple(filter(None, named)) or CGROUP_DRIVERS
    return info.get("CgroupDriver") in wanted, str(info.get("CgroupDriver") or "none"), " or ".join(wanted)


def cgroup_version(info: Info, want: Declared) -> Optional[Verdict]:
    """The version that the host has; dockerd tells it from 20.10 on."""
    found, wanted = str(info.get("CgroupVersion") or ""), "2" if want.facts.cgroup == "v2" else "1"
    return (found == wanted, found, wanted) if found else None


def registry_mirrors(info: Info, want: Declared) -> Verdict:
    """The mirrors, in their order."""
    wanted = [skiff_config.normalised(mirror) for mirror in want.variables.strings("registry_mirrors")]
    found = [str(one) for one in (info.get("RegistryConfig") or {}).get("Mirrors") or ()]
    return found == wanted, listed(found), listed(wanted)


def insecure_registries(info: Info, want: Declared) -> Verdict:
    """Names and networks, but for the loopback that every daemon trusts."""
    registries = info.get("RegistryConfig") or {}
    indexes = registries.get("IndexConfigs") or {}
    names = [name for name, index in indexes.items() if not index.get("Secure", True)]
    found = sorted({*names, *(registries.get("InsecureRegistryCIDRs") or ())} - set(LOOPBACK))
    wanted = sorted(set(want.variables.strings("insecure_registries")) - set(LOOPBACK))
    return found == wanted, listed(found), listed(wanted)


def data_root(info: Info, want: Declared) -> Optional[Verdict]:
    """Where images and containers are kept; Docker's unit may say it, where nobody else does."""
    if engine.is_docker(want.variables) and not (want.variables.string("docker_data_root") or want.facts.docker_root):
        return None
    wanted, found = engine.data_root(want.facts, want.variables), str(info.get("DockerRootDir", "unknown"))
    return found == wanted, found, wanted


def same(option: str, field: str) -> Callable[[Info, Declared], Optional[Verdict]]:
    """Compares an option with the field of `info` that tells it, where it is declared."""

    def compare(info: Info, want: Declared) -> Optional[Verdict]:
        if not want.has(option):
            return None
        found, wanted = told(info.get(field)), told(want.options[option])
        return found == wanted, found, wanted

    return compare


def runtimes(info: Info, want: Declared) -> Optional[Verdict]:
    """Every runtime that is declared is known."""
    if not want.has("runtimes"):
        return None
    wanted, found = sorted(want.options["runtimes"]), sorted(info.get("Runtimes") or {})
    return set(wanted) <= set(found), listed(found), listed(wanted)


def security_options(info: Info, want: Declared) -> Verdict:
    """Seccomp's filter, unless it is declared away, and what daemon.json asks for."""
    found = sorted(str(one).partition("name=")[2].partition(",")[0] or str(one) for one in info.get("SecurityOptions") or ())
    asked = {
        "seccomp": want.options.get("seccomp-profile") != "unconfined",
        "selinux": bool(want.options.get("selinux-enabled")),
        "userns": bool(want.options.get("userns-remap")),
        "no-new-privileges": bool(want.options.get("no-new-privileges")),
    }
    wanted = [name for name, wants in asked.items() if wants]
    return set(wanted) <= set(found), listed(found), listed(wanted)


def proxies(info: Info, want: Declared) -> Optional[Verdict]:
    """Whether Docker's daemon has the proxies that are declared; their addresses may hold passwords, and stay unsaid."""
    if not engine.is_docker(want.variables):
        return None
    wanted = [name for name in ("http_proxy", "https_proxy") if want.variables.secret(name) is not None]
    wanted += ["no_proxy"] if want.variables.strings("no_proxy") else []
    if not wanted:
        return None
    fields = {"http_proxy": "HttpProxy", "https_proxy": "HttpsProxy", "no_proxy": "NoProxy"}
    found = [name for name, field in fields.items() if info.get(field)]
    return set(wanted) <= set(found), listed(found), listed(wanted)


def architecture(info: Info, want: Declared) -> Verdict:
    """The engine was built for this host."""
    found = str(info.get("Architecture", "unknown"))
    return found == want.facts.arch, found, want.facts.arch


def listed(values: List[str]) -> str:
    """Names for a person."""
    return ", ".join(values) or "none"


def told(value: object) -> str:
    """A value of JSON for a person."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return listed(sorted(map(str, value))) if isinstance(value, (list, tuple)) else str(value)


def field(name: str, title: str, breaks: str, cure: str = PROVISION, severity: str = "critical") -> Claim:
    """A claim about `info`."""
    return Claim(name, title, breaks, cure, severity, ("info",))


RESTART = "systemctl restart {engine}"
FIELDS: Tuple[Tuple[Claim, Callable[[Info, Declared], Optional[Verdict]]], ...] = (
    (
        field("storage_driver", "The storage driver is as declared", "images of the other driver are not seen", INSPECT),
        storage_driver,
    ),
    (field("d_type", "The backing file system tells entries' types", "files that were deleted come back in containers"), d_type),
    (field("cgroup_driver", "The control group driver is as declared", "limits do not hold; kubelet refuses it"), cgroup_driver),
    (field("cgroup_version", "The control group version is the host's", "limits do not hold", RESTART), cgroup_version),
    (field("registry_mirrors", "Registry mirrors are as declared", "images come from elsewhere, or slowly"), registry_mirrors),
    (field("insecure_registries", "Insecure registries are as declared", "pulls fail, or go unchecked"), insecure_registries),
    (field("data_root", "The data root is as declared", "images and containers are not found, or fill another disk"), data_root),
    (field("log_driver", "The log driver is as declared", "logs go elsewhere"), same("log-driver", "LoggingDriver")),
    (
        field("live_restore", "live-restore is as declared", "containers end with the daemon"),
        same("live-restore", "LiveRestoreEnabled"),
    ),
    (
        field("labels", "The engine's labels are as declared", "what is placed by them is placed elsewhere"),
        same("labels", "Labels"),
    ),
    (field("debug_mode", "Debug mode is as declared", "the log fills, or says too little", severity=INFO), same("debug", "Debug")),
    (
        field("experimental", "Experimental features are as declared", "commands are missing", severity=WARNING),
        same("experimental", "ExperimentalBuild"),
    ),
    (
        field("default_runtime", "The default runtime is as declared", "containers get another"),
        same("default-runtime", "DefaultRuntime"),
    ),
    (field("runtimes", "The declared runtimes are known", "containers that ask for one do not start"), runtimes),
    (
        field("security_options", "The security options are as declared", "containers may do more than they should", INSPECT),
        security_options,
    ),
    (field("proxies", "The daemon has its proxies", "it reaches no registry"), proxies),
    (field("architecture", "The engine is of the host's architecture", "every program is emulated", INSPECT), architecture),
)
CLAIMS = tuple(claim for claim, _ in FIELDS)


def judge(info: Info, want: Declared, name: str) -> List[Check]:
    """A check for each field that something is declared of."""
    verdicts = [(claim, compare(info, want)) for claim, compare in FIELDS]
    return [claim.judged(*verdict, engine=name) for claim, verdict in verdicts if verdict is not None]
