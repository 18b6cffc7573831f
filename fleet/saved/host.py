"""One host's part of a saved plan: what it should be, what would change, and by what the host itself is known again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Set

from fleet.content import Content
from fleet.errors import HostError
from fleet.plan import Plan
from fleet.saved import seal
from fleet.saved.seal import Key
from fleet.secret import Secret

# An unchanged file of at most this size rides along: a plan may have to show it. Larger ones only if they change.
SMALL = 256 << 10
HIDDEN = "{}: differences not shown: it holds a secret\n"

Wire = Dict[str, Any]


@dataclass(frozen=True)
class SavedHost:
    """What a saved plan knows of a host.

    `hostname` and `machine` are facts by which it is known again; `resources` are without their secrets, whose keyed digests
    `sealed` has by resource id.
    """

    host: str
    target: str
    hostname: str
    machine: str
    resources: List[Wire]
    probes: List[Wire]
    sealed: Mapping[str, str]
    plan: Plan

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SavedHost:
        """What `as_json` gave.

        Raises:
            KeyError, TypeError: it is of another form.
        """
        fields = {name: document[name] for name in ("host", "target", "hostname", "machine", "resources", "probes", "sealed")}
        return cls(**fields, plan=Plan.from_wire(document["plan"]))

    def as_json(self) -> Dict[str, Any]:
        """It as plain data."""
        return {**vars(self), "plan": self.plan.as_json()}

    @property
    def expected(self) -> Dict[str, str]:
        """The fingerprint of every planned change by its resource's id."""
        return {change.id: change.fingerprint for change in self.plan.changes}

    @property
    def contents(self) -> List[str]:
        """The digests of the contents that carrying it out may take."""
        return named(self.resources, self.probes, set(self.expected))

    def refuse_other(self, facts: Mapping[str, Any]) -> None:
        """Insists that facts are those of the host that was planned.

        Raises:
            HostError: it is another one.
        """
        for name, word, planned in (("machine", "machine id", self.machine), ("hostname", "name", self.hostname)):
            if facts.get(name, "") != planned:
                raise HostError(
                    f"this is not the host that was planned: its {word} is another",
                    f"planned for {self.hostname}, met {facts.get('hostname')}",
                    "correct its address in the inventory; if the host was made anew or renamed, make a new plan",
                )


@dataclass(frozen=True)
class KeptHost:
    """A host's part on its way into the file: its document, already in the bytes that are written, and the contents it takes."""

    document: bytes = field(repr=False)
    contents: Mapping[str, Content] = field(repr=False)


@dataclass(frozen=True)
class Desired:
    """What is sent to a host.

    `secrets` are those that its roles have read, `secret_contents` the digests of contents with one in them. `expect` has the
    fingerprints of a saved plan's changes, or is None where there is no such plan.
    """

    resources: List[Wire]
    probes: List[Wire]
    contents: Mapping[str, Content]
    secrets: AbstractSet[Secret] = frozenset()
    secret_contents: AbstractSet[str] = frozenset()
    expect: Optional[Mapping[str, str]] = None


def keep(host: str, target: str, facts: Mapping[str, Any], desired: Desired, plan: Plan, key: Optional[Key]) -> KeptHost:
    """A planned host's part. A key is needed where a resource holds a secret.

    Raises:
        HostError: something that cannot be sealed holds a secret.
    """
    sealed = {}
    for wire in desired.resources:
        if seal.is_secret(wire):
            assert key is not None
            sealed[wire["id"]] = key.seal(host, wire)
    changes = tuple(
        replace(change, diff=HIDDEN.format(change.id)) if change.diff and change.id in sealed else change for change in plan.changes
    )
    shown = replace(plan, changes=changes)
    bare = [seal.without_secrets(wire) for wire in desired.resources]
    saved = SavedHost(host, target, facts["hostname"], facts.get("machine", ""), bare, desired.probes, sealed, shown)
    taken = {digest: desired.contents[digest] for digest in saved.contents}
    if not desired.secret_contents.isdisjoint(taken):
        raise HostError(
            "a plan of this host cannot be kept: a probe or an archive of it holds a secret",
            "",
            "put the secret into a file; or provision the host without a saved plan",
        )
    return KeptHost(json.dumps(saved.as_json(), ensure_ascii=False).encode("utf-8", "replace"), taken)


def named(resources: List[Wire], probes: List[Wire], changing: Set[str]) -> List[str]:
    """The digests of the contents that carrying out a plan may take."""
    found = [content["sha256"] for probe in probes for content in probe["contents"].values()]
    for wire in resources:
        contents = [wire.get("content"), wire.get("stdin"), *wire.get("files", {}).values()]
        found += [one["sha256"] for one in contents if one and (wire["id"] in changing or one["size"] <= SMALL)]
    return list(dict.fromkeys(found))


def with_secrets(saved: SavedHost, fresh: List[Wire], key: Optional[Key]) -> List[Wire]:
    """The saved resources with their secrets, taken from resources that were compiled anew.

    Raises:
        HostError: a secret is not what it was.
    """
    if not saved.sealed:
        return saved.resources
    by_id = {wire["id"]: wire for wire in fresh}
    return [unsealed(saved, wire, by_id, key) if wire["id"] in saved.sealed else wire for wire in saved.resources]


def unsealed(saved: SavedHost, wire: Wire, fresh: Mapping[str, Wire], key: Optional[Key]) -> Wire:
    """One resource with its secret."""
    now = fresh.get(wire["id"])
    if now is None or key is None or key.seal(saved.host, now) != saved.sealed[wire["id"]]:
        raise HostError(
            f"{wire['id']}: the secret in it changed since the plan was made",
            "it was fetched again, and its keyed digest is another" if now else "no role declares it any more",
            "make a new plan and apply that",
        )
    return {**wire, **{field: now[field] for field in seal.FIELDS if field in now}}
