"""The wrapper, run in a checkout of its own with the programs that it calls replaced on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


class Checkout:
    """A directory with `inv` and what it reads; `bin` comes first on PATH and each program there logs its call to `calls`."""

    def __init__(self, home: Path) -> None:
        self.home, self.bin, self.calls = home, home / "bin", home / "calls"
        for name in ("inv", "debian.packages", "requirements.lock"):
            shutil.copy(ROOT / name, home / name)
        self.calls.touch()
        self.installed("python3-venv")
        program(self.bin / "id", "echo 1000")

    def installed(self, *packages: str) -> None:
        rows = "".join(f"{name} installed\\n" for name in packages)
        program(self.bin / "dpkg-query", f"printf '{rows}'")

    def environment(self) -> None:
        """A finished .venv, made from the lock as it is."""
        program(self.home / ".venv/bin/python", 'shift 3; echo "started by $*"')
        stamp = subprocess.run(["cksum"], input=(self.home / "requirements.lock").read_bytes(), capture_output=True, check=True)
        (self.home / ".venv/lock.stamp").write_bytes(stamp.stdout)

    def python(self, status: int = 0) -> None:
        """A Python whose venv and pip only say that they were called."""
        body = f"""echo "python $*" >>{self.calls}
            case "$*" in
            *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
            *"-m pip"*) exit {status} ;;
            esac"""
        program(self.bin / "python3", body)

    def run(self, *arguments: str) -> Tuple[int, str, str]:
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        done = subprocess.run([str(self.home / "inv"), *arguments], cwd="/", env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_silent_when_nothing_changed(checkout: Checkout) -> None:
    checkout.environment()
    assert checkout.run("facts", "--hosts", "a") == (
        0,
        f"started by {checkout.home} --search-root {checkout.home} --write-pyc facts --hosts a\n",
        "",
    )


def test_not_root_prints_the_one_line_to_run(checkout: Checkout) -> None:
    checkout.environment()
    status, output, said = checkout.run("demo")
    assert (status, output) == (1, "")
    assert "sudo apt-get install --no-install-recommends -y systemd-container iproute2" in said
    assert "docker.io" not in said, "the demo needs no package of the test stage"


@pytest.mark.parametrize(
    ("task", "package"),
    [("lab.up", "mmdebstrap"), ("demo", "mmdebstrap"), ("test", "skopeo"), ("test.long", "skopeo"), ("test.vm", "qemu-system-x86")],
)
def test_a_task_names_what_it_needs(checkout: Checkout, task: str, package: str) -> None:
    checkout.environment()
    assert package in checkout.run(task)[2]


def test_virtual_machines_need_nothing_of_the_lab(checkout: Checkout) -> None:
    checkout.environment()
    assert checkout.run("lab.up", "--provider", "libvirt")[0] == 0
    assert checkout.run("lab.up", "--provider=libvirt")[0] == 0


def test_other_tasks_need_no_package(checkout: Checkout) -> None:
    checkout.environment()
    checkout.installed()
    assert checkout.run("provision", "--hosts", "test")[0] == 0


def test_first_use_makes_the_environment_from_the_lock(checkout: Checkout) -> None:
    checkout.python()
    checkout.run("facts")
    calls = checkout.calls.read_text()
    assert f"-m venv {checkout.home}/.venv" in calls
    assert f"--require-hashes -r {checkout.home}/requirements.lock" in calls


def test_a_changed_lock_makes_it_again(checkout: Checkout) -> None:
    checkout.environment()
    checkout.python()
    with (checkout.home / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert "making .venv" in checkout.run("facts")[2]


def test_a_failed_install_is_not_taken_for_finished(checkout: Checkout) -> None:
    checkout.python(status=1)
    status, _, said = checkout.run("facts")
    assert status == 1
    assert "requirements.lock could not be installed" in said
    assert not (checkout.home / ".venv/lock.stamp").exists()


def test_no_python_is_told_with_the_cure(checkout: Checkout) -> None:
    for version in ("", ".13", ".12", ".11", ".10", ".9"):
        program(checkout.bin / f"python3{version}", "exit 1")
    status, _, said = checkout.run("facts")
    assert status == 1
    assert "no Python >= 3.9 found" in said
