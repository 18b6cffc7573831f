"""`./inv verify --list`: every check with its role, its severity, what it says, what breaks without it, and the remedy."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from fleet.checks import Claim, in_general
from fleet.progress.output import write_line
from fleet.run import task
from fleet.run.answers import print_json
from fleet.run.selection import listed
from fleet.run.task import Options


def show(options: Options) -> None:
    """Prints the checks that the options choose; those on demand are listed with them.

    Raises:
        UsageError: an option or a role is faulty.
    """
    roles = task.open_roles(options)[0]
    chosen = task.selected(options, roles)
    everything = not (options.only or options.boot)
    rows = [
        (role, claim) for role, claim in listed(roles) if chosen.has(claim) or (everything and claim.demand and chosen.may(claim))
    ]
    if options.json:
        print_json([document(role, claim) for role, claim in rows])
        return
    for line in lines(rows):
        write_line(line)


def lines(rows: List[Tuple[str, Claim]]) -> Iterator[str]:
    """A paragraph for each check."""
    width = max(len(claim.name) for _, claim in rows)
    for role, claim in rows:
        demand = ", with --boot" if claim.demand else ""
        yield f"{claim.name:<{width}}  {claim.severity:<8}  {in_general(claim.title)} ({role}{demand})"
        indent = " " * (width + 12)
        yield f"{indent}else: {claim.breaks}"
        yield f"{indent}-> {in_general(claim.cure)}"


def document(role: str, claim: Claim) -> Dict[str, Any]:
    """A check as plain data."""
    return {
        "name": claim.name,
        "role": role,
        "severity": claim.severity,
        "title": in_general(claim.title),
        "breaks": claim.breaks,
        "cure": in_general(claim.cure),
        "demand": claim.demand,
    }
