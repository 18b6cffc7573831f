"""AppArmor's profiles on a kernel that has it: the virtual machine's (`./inv test.vm`)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.root.oci import Oci

PROFILE = """
profile skiff-test flags=(attach_disconnected,mediate_deleted) {
  file, capability, signal, network, mount, umount, pivot_root, unix, ptrace,
  deny /denied w,
}
"""
CURRENT = "/proc/self/attr/current"


@pytest.fixture(scope="module", autouse=True)
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    source: Path = tmp_path_factory.mktemp("apparmor") / "skiff-test"
    source.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", str(source)], check=True)
    yield
    subprocess.run(["apparmor_parser", "--remove", str(source)], check=True)


def test_a_container_is_confined_by_its_profile(oci: Oci) -> None:
    script = f"cat {CURRENT}; echo a > /allowed && echo allowed; echo d > /denied || echo denied"
    done = oci.run("sh", "-c", script, process={"apparmorProfile": "skiff-test"})
    assert done.stdout.split("\n") == ["skiff-test (enforce)", "allowed", "denied", ""]
    assert "Permission denied" in done.stderr


def test_without_a_profile_it_is_unconfined(oci: Oci) -> None:
    assert oci.said("cat", CURRENT) == "unconfined\n"


def test_exec_takes_the_container_s_profile_or_its_own(oci: Oci) -> None:
    bundle = oci.bundle("c", "sleep", "60")
    oci.spec("c", lambda spec: spec["process"].update(apparmorProfile="skiff-test"))
    oci("run", "--detach", "-b", str(bundle), "c")
    assert oci("exec", "c", "cat", CURRENT).stdout == "skiff-test (enforce)\n"
    assert oci("exec", "--apparmor", "unconfined", "c", "cat", CURRENT).stdout == "unconfined\n"
    absent = oci("exec", "--apparmor", "skiff-absent", "c", "true", check=False)
    assert (absent.returncode, "process.apparmorProfile 'skiff-absent' is not loaded" in absent.stderr) == (255, True)
    oci("delete", "--force", "c")


def test_a_profile_that_is_not_loaded_is_refused(oci: Oci) -> None:
    assert "process.apparmorProfile or process.selinuxLabel is not loaded" in oci.refused(
        "true", process={"apparmorProfile": "skiff-absent"}
    )
