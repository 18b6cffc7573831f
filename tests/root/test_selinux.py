"""SELinux labels on a kernel that enforces them: the virtual machine's (`./inv test.vm`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.root.box import Box
from tests.root.oci import Oci

CURRENT = "/proc/self/attr/current"
MINE = Path(CURRENT).read_text().rstrip("\0\n")
LABEL = ":".join([*MINE.split(":")[:3], "s0", "c7,c9"])


@pytest.fixture(autouse=True)
def entered(box: Box) -> None:
    """Another label is entered by a program of a type that the policy lets be one's first."""
    os.setxattr(box.rootfs / "bin" / "busybox", "security.selinux", b"system_u:object_r:shell_exec_t:s0")


def current(text: str) -> str:
    return text.rstrip("\0\n")


def test_a_container_has_its_label(oci: Oci) -> None:
    assert current(oci.said("cat", CURRENT, process={"selinuxLabel": LABEL})) == LABEL


def test_without_one_it_keeps_its_maker_s(oci: Oci) -> None:
    assert current(oci.said("cat", CURRENT)) == MINE


def test_exec_takes_the_container_s_label_or_its_own(oci: Oci) -> None:
    bundle = oci.bundle("c", "sleep", "60")
    oci.spec("c", lambda spec: spec["process"].update(selinuxLabel=LABEL))
    oci("run", "--detach", "-b", str(bundle), "c")
    assert current(oci("exec", "c", "cat", CURRENT).stdout) == LABEL
    own = LABEL.replace("c7,c9", "c1,c2")
    assert current(oci("exec", "--process-label", own, "c", "cat", CURRENT).stdout) == own
    oci("delete", "--force", "c")


@pytest.mark.parametrize("label", ["system_u:object_r:tmp_t:s0", "system_u:object_r:tmp_t:s0:c7,c9"])
def test_its_own_file_systems_carry_the_mount_label(oci: Oci, label: str) -> None:
    mount = {"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]}
    found = oci.said("cat", "/proc/self/mountinfo", mounts=[mount], linux={"mountLabel": label})
    (line,) = [line for line in found.splitlines() if line.split()[4] == "/mnt"]
    assert label in line.partition(" - ")[2].replace("\\134", "\\")


def test_a_label_that_the_policy_does_not_know_is_refused(oci: Oci) -> None:
    assert "or process.selinuxLabel is not loaded" in oci.refused(
        "true", process={"selinuxLabel": "nobody_u:nothing_r:nonsense_t:s0"}
    )
