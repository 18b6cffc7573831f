"""From a host's facts to what is sent to it: roles asked for refusals, resources and probes; and from probes to checks."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, TypeVar

from fleet import checks
from fleet.agent.process import TIMED_OUT
from fleet.checks import Check, Outcome, Probe, filled
from fleet.errors import FleetError, HostError
from fleet.exchange.opening import PythonMissing
from fleet.facts import Facts
from fleet.inventory.model import Host
from fleet.roles import defaults, templates
from fleet.roles.compile import Compiler, Wire
from fleet.roles.loader import Role
from fleet.run import built, late
from fleet.run.job import VERIFY, Job
from fleet.run.selection import DECLARED
from fleet.saved.host import Desired, with_secrets
from fleet.variables import Variables

T = TypeVar("T")


def prepare(job: Job) -> None:
    """Has at hand what the roles' templates take, which is slow to import."""
    if any(role.templates.is_dir() for role in job.roles):
        templates.prepare()


def read_facts(raw: Mapping[str, Any]) -> Facts:
    """An agent's facts.

    Raises:
        HostError: they are not of protocol 1's form.
    """
    try:
        return Facts.from_wire(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise HostError("the agent's facts are not understood", f"{type(error).__name__}: {error}") from error


def variables_of(host: Host, job: Job) -> Variables:
    """Every declared variable's value on a host, and what the run has ready for it."""
    run = {**job.inputs, **job.own.get(host.name, {})}
    values = {**defaults.values(job.declared, host.variables), **run, "rpms": built.rpms_of(host, job.rpms)}
    return Variables(values, job.fetch)


def ask(role: Role, function: Callable[..., Sequence[T]], *arguments: object) -> Tuple[T, ...]:
    """A role's answer.

    Raises:
        HostError: the role's function failed, told with the line where.
    """
    try:
        # A generator fails only while it is read.
        return tuple(function(*arguments))
    except FleetError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename}:{last.lineno} in {last.name}"
        raise HostError(f"role {role.name}: {function.__name__} failed: {type(error).__name__}: {error}", where) from error


def refusals(job: Job, facts: Facts, variables: Variables) -> List[Tuple[str, str]]:
    """What all roles say against the host, each with its role's name."""
    return [(role.name, text) for role in job.roles for text in ask(role, role.refusals, facts, variables)]


def release_refusals(job: Job, host: Host, missing: PythonMissing) -> List[Tuple[str, str]]:
    """What all roles say against a host of which only the release is known, each with its role's name."""
    release = (missing.os_id, missing.os_like, missing.os_version, variables_of(host, job))
    return [(role.name, text) for role in job.roles for text in ask(role, role.release_refusals, *release)]


def compiled(job: Job, facts: Facts, variables: Variables) -> Compiler:
    """The host's desired state.

    Raises:
        FleetError: a role or a template is faulty.
    """
    compiler = Compiler(variables.secrets)
    declares = job.mode != VERIFY or job.selection.has(DECLARED)
    for role in job.roles:
        items = ask(role, role.resources, facts, variables) if declares else ()
        compiler.add_role(role.name, role.templates, items, probes(job, role, facts, variables))
    if job.complete:
        compiler.refuse_dangling()
    for question in job.questions:
        compiler.probes.append({**compiler.plain(question), "name": f"/{question.name}"})
    return compiler


def probes(job: Job, role: Role, facts: Facts, variables: Variables) -> Tuple[Probe, ...]:
    """A role's probes for this run: those of the chosen checks, and none that is for verifications alone in another.

    Each has the seconds that the host is given for one, where they are more than its own.
    """
    given = ask(role, role.probes, facts, variables) if job.probed else ()
    if not all(isinstance(probe, Probe) for probe in given):
        return given  # the compiler says what is wrong
    least = float(variables.integer("verify_timeout"))
    given = tuple(replace(probe, timeout=max(probe.timeout, least)) for probe in given)
    if job.mode == VERIFY:
        return job.selection.probes(role, given)
    return tuple(probe for probe in given if probe.when != checks.VERIFY)


def wanted(job: Job, host: str, facts: Facts, variables: Variables) -> Desired:
    """What the host should be: by its roles, or, where a saved plan is carried out, by that.

    Raises:
        FleetError: a role or a template is faulty, or the saved plan is not for this host as it is.
    """
    if job.saved is None:
        compiler = compiled(job, facts, variables)
        return Desired(compiler.resources, compiler.probes, compiler.contents, compiler.secrets, compiler.secret_contents)
    saved, of_all = job.saved.host(host), job.saved.contents()
    saved.refuse_other(facts.raw)
    # A host in other hands is not to ask for what others take.
    contents = {digest: of_all[digest] for digest in saved.contents if digest in of_all}
    fresh: List[Wire] = []
    if saved.sealed:
        # Only the secrets are taken from it: all else is as it was planned.
        compiler = compiled(job, facts, variables)
        fresh, contents = compiler.resources, {**compiler.contents, **contents}
    resources = with_secrets(saved, fresh, job.key)
    return Desired(resources, saved.probes, contents, variables.secrets, expect=saved.expected)


def message(job: Job, desired: Desired) -> Dict[str, Any]:
    """The fields of `desired`."""
    more: Dict[str, Any] = {"undo": job.undo} if job.undo else {}
    if desired.expect is not None:
        more["expect"] = desired.expect
    if job.reboot is not None:
        more["reboot"] = job.reboot
    return {
        **more,
        "mode": job.mode,
        "run": job.run,
        "who": job.who,
        "diff": job.diff,
        "secrets": sorted(secret.reveal() for secret in desired.secrets),
        "lock_timeout": job.lock_timeout,
        "resources": desired.resources,
        "probes": desired.probes,
    }


def outcomes_by_role(results: Sequence[Mapping[str, Any]], asked: Sequence[Wire]) -> Dict[str, Dict[str, Outcome]]:
    """The outcomes of the probes that were asked, by role and name; those of the job's own questions under the empty role."""
    seconds = {probe["name"]: probe["timeout"] for probe in asked}
    found: Dict[str, Dict[str, Outcome]] = {}
    for result in results:
        role, _, name = result["name"].partition("/")
        outcome = Outcome(result["status"], result["stdout"], result["stderr"])
        if role and outcome.status == TIMED_OUT:
            outcome = late.outcome(outcome, seconds.get(result["name"], 0.0))
        found.setdefault(role, {})[name] = outcome
    return found


def judge(
    job: Job, host: str, facts: Facts, variables: Variables, outcomes: Mapping[str, Mapping[str, Outcome]]
) -> List[Tuple[str, Check]]:
    """Every role's checks that were chosen, each with its role's name; `host` stands in what there is to do."""
    found = [
        (role.name, late.failed(check, role, outcomes.get(role.name, {})))
        for role in job.roles
        for check in ask(role, role.judge, facts, variables, outcomes.get(role.name, {}))
    ]
    named = [(role, replace(check, name=check.name or role, cure=filled(check.cure, {"host": host}))) for role, check in found]
    return [(role, check) for role, check in named if job.mode != VERIFY or job.selection.keeps(check, role)]
