"""Looks whose time ran out: they say so, and no check that takes one of them passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping

from fleet.agent.process import TIMED_OUT
from fleet.checks import Check, Outcome
from fleet.roles.loader import Role

WORDS = "no answer within {:g} s; verify_timeout gives a slow host more"


def outcome(found: Outcome, seconds: float) -> Outcome:
    """The same with the time that ran out as the last of what it said."""
    return replace(found, stderr=f"{found.stderr.rstrip()}\n{WORDS.format(seconds)}".lstrip())


def failed(check: Check, role: Role, outcomes: Mapping[str, Outcome]) -> Check:
    """The check, failed if a look of its claim came to no end; a claim that names no looks takes all of its role's.

    What a role judged from an answer cut short may be anything. It stays only where it tells of the time itself.
    """
    taken = next((claim.probes for claim in role.claims if claim.name == (check.name or role.name)), ())
    said = [outcomes[name].stderr for name in taken or outcomes if name in outcomes and outcomes[name].status == TIMED_OUT]
    if not said:
        return check
    told = any(text.splitlines()[-1] in check.detail for text in said if text)
    return replace(check, passed=False, detail=check.detail if told else "; ".join(said))
