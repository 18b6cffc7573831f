"""Which checks a verification looks at: all but those on demand, or as `--only`, `--skip`, `--severity` and `--boot` choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable, List, Sequence, Tuple

from fleet.checks import INFO, SEVERITIES, Check, Claim, Probe
from fleet.errors import UsageError
from fleet.inventory.document import suggestion
from fleet.roles.loader import Role

# The plan of a verification, as a check beside the roles'.
DECLARED = Claim(
    "declared",
    "Every resource is as declared",
    "the host is another than the inventory says",
    "./inv provision --hosts {host}",
)
EVERY = "every role"


@dataclass(frozen=True)
class Selection:
    """What was chosen. Without names in `only` every check is, but those on demand that `boot` does not ask for."""

    only: FrozenSet[str] = frozenset()
    skip: FrozenSet[str] = frozenset()
    severity: str = INFO
    boot: bool = False

    def has(self, claim: Claim) -> bool:
        """Whether a claim may come to a check of this verification."""
        return self.may(claim) and (claim.name in self.only or self.boot or not claim.demand)

    def may(self, claim: Claim) -> bool:
        """The same, where every claim on demand is asked for."""
        named = not self.only or claim.name in self.only
        return named and claim.name not in self.skip and self._is_grave(claim.severity)

    def keeps(self, check: Check, role: str) -> bool:
        """Whether a check is one of them; one without a name has its role's."""
        name = check.name or role
        return (not self.only or name in self.only) and name not in self.skip and self._is_grave(check.severity)

    def probes(self, role: Role, given: Sequence[Probe]) -> Tuple[Probe, ...]:
        """Those that a role's chosen claims take; a claim that names none takes all."""
        claims = [claim for claim in role.claims if self.has(claim)]
        wanted = {name for claim in claims for name in claim.probes}
        whole = any(claim.name == role.name for claim in claims)
        return tuple(probe for probe in given if whole or probe.name in wanted)

    def _is_grave(self, severity: str) -> bool:
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)


def listed(roles: Iterable[Role]) -> List[Tuple[str, Claim]]:
    """Every claim with its role, in the order in which they are judged.

    Raises:
        UsageError: two have one name.
    """
    found = [(EVERY, DECLARED), *((role.name, claim) for role in roles for claim in role.claims)]
    owners: Dict[str, str] = {}
    for role, claim in found:
        if claim.name in owners:
            raise UsageError(f"role {role}: the check {claim.name} is role {owners[claim.name]}'s already")
        owners[claim.name] = role
    return found


def chosen(roles: Sequence[Role], only: Sequence[str], skip: Sequence[str], severity: str, boot: bool) -> Selection:
    """The selection that options make.

    Raises:
        UsageError: one names no check, or no severity, or nothing is left.
    """
    claims = [claim for _, claim in listed(roles)]
    names = [claim.name for claim in claims]
    for option, given in (("--only", only), ("--skip", skip)):
        for name in given:
            if name not in names:
                raise UsageError(
                    f"{option}: there is no check {name!r}", resolution=suggestion(name, names) or "./inv verify --list"
                )
    if severity and severity not in SEVERITIES:
        raise UsageError(f"--severity: should be one of {', '.join(SEVERITIES)}, not {severity!r}")
    found = Selection(frozenset(only), frozenset(skip), severity or INFO, boot)
    if not any(map(found.has, claims)):
        raise UsageError("--only, --skip and --severity leave no check", resolution="./inv verify --list")
    return found
