"""Which version of the runtime may follow which on a host: one rule for every way to change it.

The new version's bundle names the oldest version that it can follow, and the oldest and newest protocol of shims that its daemon
understands. Shims outlive the change, so every one that is alive has to be understood. An older version is gone back to where the
present one could have followed it. What is not known is refused.
"""

from fleet.agent import versions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    Refusal = Tuple[str, str]

NO_FORM = "{} is no version that can be compared with others"
NAME = "write versions as 0.2.0, 0.2.0rc1 or 0.2.0+site1"


def refusal(found: "Dict[str, Any]", wanted: "Dict[str, Any]", back: bool) -> "Optional[Refusal]":
    """Why the host may not get another version, and the cure; None if it may.

    `found` is what `versions.describe` tells, `wanted` has `version`, `follows` and `shims`; `back` allows an older one.
    """
    now, then = found["current"], wanted["version"]
    if now is None or now == then:
        return None
    ages = versions.order(now), versions.order(then)
    for version, age in zip((now, then), ages):
        if age is None:
            return NO_FORM.format(version), NAME
    if ages[1] < ages[0]:  # type: ignore[operator] # neither is None
        if not back:
            return (
                "{} is older than {}, which is here".format(then, now),
                "`./inv rollback` goes back; to deploy it all the same: `./inv upgrade --to {} --allow-downgrade`".format(then),
            )
        refused = _follows(found["kept"].get(now, {}).get("follows"), then, now)
    else:
        refused = _follows(wanted.get("follows"), now, then)
    return refused or _shims(found, wanted)


def _follows(oldest: "Any", older: str, newer: str) -> "Optional[Refusal]":
    """Whether the newer one's bundle says that it can follow the older one."""
    least = versions.order(oldest) if isinstance(oldest, str) else None
    if least is None:
        return "the bundle of {} does not say which versions it can follow".format(newer), "build it anew: `./inv bundle`"
    if versions.order(older) < least:  # type: ignore[operator] # it has a form: the caller looked
        return (
            "{} follows no version older than {}, and {} is".format(newer, oldest, older),
            "go by way of {}, which lies between".format(oldest),
        )
    return None


def _shims(found: "Dict[str, Any]", wanted: "Dict[str, Any]") -> "Optional[Refusal]":
    """Whether the shims that are alive are understood."""
    understood: "Any" = wanted.get("shims")
    if not found["shims"]:
        return None
    if not _span(understood):
        return "the bundle of {} does not say which shims it understands".format(wanted["version"]), "build it anew: `./inv bundle`"
    for version, count in sorted(found["shims"].items()):
        own: "Any" = found["kept"].get(version, {}).get("shims")
        told = "{} container{} here run{} under shims of {}".format(count, *(("", "s") if count == 1 else ("s", "")), version)
        cure = "stop them, upgrade, and start them again"
        if not _span(own):
            return told + ", whose protocol is not known", cure
        if not understood[0] <= own[1] <= understood[1]:
            speaks = "which speak protocol {}; {} understands {} to {}".format(own[1], wanted["version"], *understood)
            return told + ", " + speaks, cure
    return None


def _span(value: "Any") -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(one, int) for one in value)
