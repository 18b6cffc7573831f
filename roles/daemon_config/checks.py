"""Whether the daemon could start with its file: a fault written by hand shows up before the next boot does. And its mirrors."""

from __future__ import annotations

from typing import List, Mapping

from fleet.checks import CHANGED, VERIFY, WARNING, Check, Claim, Outcome, Probe
from fleet.facts import Facts
from fleet.variables import Variables
from roles import engine
from roles.daemon_config import docker
from roles.daemon_config.role import FILE, SKIFFD
from roles.seen import seen

# Seconds for one mirror's answer, and how often one is asked that gave none.
TIMEOUT, ATTEMPTS = 4.0, 2
VALID = Claim(
    "daemon_json",
    "{file} is valid",
    "the daemon does not come up again after its next stop",
    "./inv restore --path {file} --hosts {host}  # or correct {file}",
    probes=("valid",),
)
MIRRORS = Claim(
    "mirrors_answer",
    "Every registry mirror answers the host",
    "pulls wait for it, then go to docker.io itself",
    "curl -v {mirror}/v2/  # take it out of registry_mirrors, or set verify_mirrors: false where hosts reach no network",
    WARNING,
    ("mirrors",),
)
CLAIMS = (VALID, MIRRORS)


def probes(facts: Facts, variables: Variables) -> List[Probe]:
    """The daemon's own judgement costs a start of the interpreter: only where something changed, or in `verify`."""
    argv = docker.validation(docker.FILE) if engine.is_docker(variables) else (SKIFFD, "--validate", "--config-file", FILE)
    found = [Probe("valid", argv, when=CHANGED)]
    mirrors = list(variables.strings("registry_mirrors"))
    if mirrors and variables.boolean("verify_mirrors"):
        given = {
            "mirrors": mirrors,
            "insecure": list(variables.strings("insecure_registries")),
            "unit": engine.unit(variables),
            "file": docker.FILE if engine.is_docker(variables) else FILE,
            "timeout": TIMEOUT,
            "attempts": ATTEMPTS,
        }
        found.append(Probe("mirrors", when=VERIFY, look="mirrors", given=given))
    return found


def judge(facts: Facts, variables: Variables, outcomes: Mapping[str, Outcome]) -> List[Check]:
    """The file is one that the daemon takes; every mirror is a registry."""
    found = []
    if "valid" in outcomes:
        outcome, file = outcomes["valid"], docker.FILE if engine.is_docker(variables) else FILE
        found.append(VALID.judged(outcome.status == 0, outcome.stderr.strip() or outcome.stdout.strip(), file=file))
    if "mirrors" in outcomes:
        found.append(_judge_mirrors(outcomes["mirrors"]))
    return found


def _judge_mirrors(outcome: Outcome) -> Check:
    answers, fault = seen(outcome)
    if answers is None:
        return MIRRORS.judged(False, fault)
    silent = [one for one in answers if not one["answers"]]
    told = "; ".join(f"{one['mirror']}: {one['said']}" for one in silent or answers)
    first = str(silent[0]["mirror"]) if silent else ""
    return MIRRORS.judged(not silent, told, "200 or 401 of a registry to GET /v2/", mirror=first.rstrip("/"))
