"""What a reboot would bring back, as far as it can be known without one; and right after one, what it did bring back."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import INFO, VERIFY, WARNING, Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.seen import seen

TARGETS = ("multi-user.target", "graphical.target")
# A container's name and its restart policy a line. Skiff's own engine has no such policies.
POLICIES = "{{.Name}} {{.HostConfig.RestartPolicy.Name}}"
DOCKER_RUNNING = f'"$0" ps --quiet | xargs -r "$0" inspect --format "{POLICIES}"'
SKIFF_RUNNING = '"$0" ps --quiet | while read -r id; do echo "$id no"; done'


def claim(name: str, title: str, breaks: str, cure: str, severity: str = "critical", probe: str = "boot") -> Claim:
    """A claim about the next boot, looked at where a run asks for it."""
    return Claim(name, title, breaks, cure, severity, (probe,), demand=True)


TARGET = claim(
    "boot_target",
    "The host boots to where services are started",
    "no service comes up after a boot",
    "systemctl set-default multi-user.target",
)
LINKS = claim(
    "boot_links",
    "The boot target wants {unit}",
    "the engine does not come up after a boot",
    "systemctl reenable {unit}",
)
MOUNTS = claim(
    "boot_mounts",
    "The file system of {root} is mounted at boot",
    "the engine comes up without its images and containers",
    "findmnt --target {root}  # its line belongs into /etc/fstab",
)
CONTAINERS = claim(
    "boot_containers",
    "Running containers come back after a boot",
    "they stay stopped until somebody starts them",
    "{engine} update --restart unless-stopped {names}  # an engine without restart policies: a systemd unit for each",
    INFO,
    "running",
)
FAILED = claim(
    "boot_failed_units",
    "No unit has failed",
    "what it is for is not there; right after a boot, the boot did not bring it back",
    "systemctl status {units}",
    WARNING,
    "failed_units",
)
CLAIMS = (TARGET, LINKS, MOUNTS, CONTAINERS, FAILED)


def probes(facts: Facts, variables: Variables, command: str) -> List[Probe]:
    """What systemd would do, which units it has given up, and the containers that run."""
    root = engine.data_root(facts, variables)
    running = DOCKER_RUNNING if engine.is_docker(variables) else SKIFF_RUNNING
    return [
        Probe("boot", when=VERIFY, look="boot", given={"unit": engine.unit(variables), "root": root}),
        Probe("failed_units", ("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--all"), when=VERIFY),
        Probe("running", ("/bin/sh", "-c", running, command), when=VERIFY),
    ]


def judge(variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """Those that were asked for."""
    found: List[Check] = []
    if "boot" in outcomes:
        found += _judge_boot(outcomes["boot"], engine.unit(variables))
    if "failed_units" in outcomes:
        units = [line.split()[0] for line in outcomes["failed_units"].stdout.splitlines() if line.strip()]
        found.append(FAILED.judged(not units, ", ".join(units) or "none", "none", units=" ".join(units)))
    if "running" in outcomes:
        rows = [line.split() for line in outcomes["running"].stdout.splitlines() if line.strip()]
        lost = [row[0].lstrip("/") for row in rows if row[-1] == "no"]
        name = "docker" if engine.is_docker(variables) else "skiff"
        told = f"without a restart policy: {', '.join(lost)}" if lost else f"{len(rows)} running"
        found.append(CONTAINERS.judged(not lost, told, engine=name, names=" ".join(lost)))
    return found


def _judge_boot(outcome: Outcome, unit: str) -> List[Check]:
    found, fault = seen(outcome)
    if found is None:
        return [TARGET.judged(False, fault)]
    target, links, root, kept = str(found["target"]), list(found["links"]), str(found["root"]), bool(found["kept"])
    mount = f"mounted on {found['mount']}" + ("" if kept else ", by hand")
    return [
        TARGET.judged(target in TARGETS, target or "none", " or ".join(TARGETS)),
        LINKS.judged(bool(links), ", ".join(links) or "no link leads to it", f"a link in {TARGETS[0]}.wants", unit=unit),
        MOUNTS.judged(kept, mount, "an entry in fstab or a mount unit", root=root),
    ]
