"""What a saved plan adds to a run: the planned hosts kept in a file; and what is said of a host that moved on since."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Mapping, Sequence

from fleet import events
from fleet.events import Fault, HostOutcome
from fleet.inventory.model import Host
from fleet.plan import Plan
from fleet.progress.harmless import on_one_line
from fleet.progress.quantity import quantity
from fleet.run.job import Job
from fleet.saved.host import Desired, KeptHost, keep

MOVED = {
    "met": "is already as planned",
    "new": "was as declared when the plan was made, and is no longer",
    "differs": "is not as it was when the plan was made",
    "unknown": "can no longer be checked",
}


def about(job: Job, role_path: str, settings: Collection[str]) -> Dict[str, Any]:
    """What a plan's file says of its run. Settings of the command line are named without their values, which may be secrets."""
    return {
        "run": job.run,
        "who": job.who,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "roles": [role.name for role in job.roles],
        "role_path": str(Path(role_path).resolve()) if role_path else "",
        "set": sorted(settings),
        "inputs": {name: value for name, value in job.inputs.items() if isinstance(value, str)},
        "key": job.key.name if job.key else "",
    }


def kept(job: Job, host: Host, facts: Mapping[str, Any], desired: Desired, plan: Plan) -> KeptHost:
    """A planned host's part of the file."""
    return keep(host.name, host.target, facts, desired, plan, job.key)


def save(path: Path, told: Mapping[str, Any], outcomes: Sequence[HostOutcome], put: Callable[[str], None]) -> bool:
    """Writes the file of the hosts that were planned without fault, and says which were not; whether there was one.

    Raises:
        FleetError: it cannot be written.
    """
    good = {outcome.host: outcome.kept for outcome in outcomes if outcome.kept is not None and not outcome.faults}
    left_out = {outcome.host: reason(outcome) for outcome in outcomes if outcome.host not in good}
    for host, why in left_out.items():
        put(f"{host}: is not in {path}: {why}")
    if not good:
        put(f"{path}: was not written: no host was planned without fault")
        return False
    from fleet.saved import file

    file.write(path, {**told, "left_out": left_out}, good)
    put(f"{path}: the plan of {quantity(len(good), 'host')}; ./inv apply {path} carries it out")
    return True


def reason(outcome: HostOutcome) -> str:
    """Why a host's plan is not kept."""
    faults = [on_one_line(f"{fault.where}: {fault.brief}" if fault.where else fault.brief) for fault in outcome.faults]
    if faults:
        return "; ".join(faults)
    # A host without Python has a plan of one change, which no agent made.
    changes = [change.summary for change in outcome.plan.changes] if outcome.plan else []
    return "; ".join(changes) if outcome.state == events.CHANGED else outcome.state


def moved(job: Job, host: str, resources: Sequence[Mapping[str, str]]) -> List[Fault]:
    """What to say of a host that is not as it was when its plan was made; it was not touched."""
    planned = {change.id: change for change in job.saved.host(host).plan.changes} if job.saved else {}
    cure = f"make a new plan: ./inv plan --hosts {host} --out FILE"
    if all(one["why"] == "met" for one in resources) and len(resources) == len(planned):
        return [Fault("the host is already as planned; nothing was changed", resolution=cure)]
    faults = [Fault("the host has moved on since the plan was made; nothing was changed", resolution=cure)]
    for one in resources:
        lines = [f"planned: {planned[one['id']].summary}"] if one["id"] in planned else []
        lines += [f"now: {one['summary']}"] if one["summary"] else []
        faults.append(Fault(MOVED.get(one["why"], one["why"]), "" if one["why"] == "met" else "\n".join(lines), where=one["id"]))
    return faults
