"""The same config.json through runc and through skiff-oci: whatever the process sees is the same, or differs by right."""

from __future__ import annotations

import fnmatch
import re

import pytest

from skiff.oci import mountoptions
from tests.contract.runc.accepted import ACCEPTED, ACCEPTED_ROOTLESS, ALWAYS, Accepted
from tests.contract.runc.bench import THEIRS, Bench
from tests.contract.runc.mutation import Mutation
from tests.contract.runc.rootless import Rootless
from tests.contract.runc.tables import MUTATIONS, ROOTLESS

PATTERNS = tuple(pattern for row in ALWAYS for pattern in row.facts)


def differences(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The facts that are not the same: ours and runc's. Where one refuses and the other does not, that is all."""
    names = ["refused"] if ours["refused"] != theirs["refused"] else sorted(set(ours) | set(theirs))
    absent = "(absent)"
    return {name: (ours.get(name, absent), theirs.get(name, absent)) for name in names if ours.get(name) != theirs.get(name)}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_ours_is_runcs(bench: Bench, mutation: Mutation) -> None:
    compare(bench, mutation, ACCEPTED.get(mutation.name))


@pytest.mark.parametrize("mutation", ROOTLESS, ids=[mutation.name for mutation in ROOTLESS])
def test_ours_is_runcs_without_rights(rootless: Rootless, mutation: Mutation) -> None:
    compare(rootless, mutation, ACCEPTED_ROOTLESS.get(mutation.name))


def compare(bench: Bench, mutation: Mutation, accepted: Accepted | None) -> None:
    document = mutation.apply(bench.base, bench.places())
    theirs, their_errors = bench.facts(THEIRS, document, mutation.flags)
    ours, our_errors = bench.facts(bench.ours, document, mutation.flags)
    found = differences(ours, theirs)
    allowed = accepted.facts if accepted is not None else ()
    required = allowed if mutation.patch or mutation.flags or bench.prefix else PATTERNS
    unlisted = {name: pair for name, pair in found.items() if not any(fnmatch.fnmatchcase(name, one) for one in allowed + PATTERNS)}
    assert not unlisted, f"{report(unlisted)}\nskiff-oci: {our_errors}\nrunc: {their_errors}"
    settled = [pattern for pattern in required if not fnmatch.filter(found, pattern)]
    assert not settled, f"no longer differs, take it out of accepted.py: {settled}"
    assert ours["left"] == ""
    if ours["refused"] == "yes":
        assert mutation.refused or mutation.perhaps, our_errors
        assert (mutation.refused or mutation.perhaps) in our_errors
    else:
        assert not mutation.refused


SEEN = {
    "process.oomScoreAdj": (500, "file oom_score_adj"),
    "process.user.umask": (0, "umask"),
    "process.user.additionalGids": ([5], "id"),
    "process.capabilities.bounding": ([], "status CapBnd"),
    "process.rlimits": ([], "limits Max open files"),
    "process.env": (["PATH=/bin", "A=b"], "environ"),
    "process.cwd": ("/srv", "cwd"),
    "process.args": (["/bin/probe", "word"], "argv"),
    "hostname": ("other", "sysctl kernel/hostname"),
    "linux.sysctl": ({"kernel.msgmax": "77"}, "sysctl kernel/msgmax"),
    "linux.namespaces": ([{"type": kind} for kind in ("mount", "uts", "ipc", "pid")], "ns net"),
    "linux.resources.pids": ({"limit": 77}, "cgroups pids/pids.max"),
    "linux.devices": ([{"path": "/dev/own/null", "type": "c", "major": 1, "minor": 3}], "nodes /dev/own"),
    "linux.maskedPaths": (["/etc/hidden"], "paths /etc/hidden"),
    "linux.seccomp": ({"defaultAction": "SCMP_ACT_ALLOW"}, "status Seccomp"),
    "mounts+": ([{"destination": "/mnt", "type": "tmpfs", "source": "x"}], "mountinfo /mnt"),
}


def test_what_is_changed_is_seen(bench: Bench) -> None:
    """The comparison is worth no more than what the probe sees."""
    changed = Mutation("all at once", {path: value for path, (value, _) in SEEN.items()}).apply(bench.base, bench.places())
    before, _ = bench.facts(bench.ours, bench.base)
    after, _ = bench.facts(bench.ours, changed)
    assert "end" in before
    assert {fact for _, fact in SEEN.values()} - set(differences(after, before)) == set()


def report(found: dict[str, tuple[str, str]]) -> str:
    return "\n".join(f"{name}:\n  ours   {ours!r}\n  runc's {theirs!r}" for name, (ours, theirs) in found.items())


def test_every_option_of_a_mount_is_in_a_row() -> None:
    rows = [row for mutation in MUTATIONS for row in mutation.patch.get("mounts+", ()) if isinstance(row, dict)]
    words = {word for row in rows if isinstance(row.get("options"), list) for word in row["options"]}
    assert set(mountoptions.known()) - words == {"ridmap"}  # runc has neither it nor idmap: tests/root/test_oci_mounts.py


def test_every_accepted_difference_is_of_a_mutation() -> None:
    assert set(ACCEPTED) <= {mutation.name for mutation in MUTATIONS}
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
    assert all(re.fullmatch(r"(config|config-linux|runtime)\.md#[a-z-]+", row.section) for row in (*ALWAYS, *ACCEPTED.values()))
