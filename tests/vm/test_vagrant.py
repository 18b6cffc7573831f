"""A real machine by Vagrant, libvirt and QEMU's emulation: up, provision, verify, destroy; killed in between, and up again.

The tests are one story, in the order of this file, on one machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
import yaml

from fleet.errors import FleetError
from tests.vm import box
from tests.vm.conftest import Machines
from tests.vm.libvirt import Libvirt

ROOT = Path(__file__).resolve().parents[2]
RUN = "from invoke.main import program; import sys; sys.exit(program.run())"
PROGRAMS = ("vagrant", "libvirtd", "virtlogd", "virsh", "dnsmasq", "qemu-system-x86_64", "qemu-img", "mmdebstrap", "mke2fs", "ssh")
LONGEST = 3600.0
SLOW = ("--set", "verify_timeout=900")


class Checkout:
    """The suite's tasks and Vagrant where a libvirtd is, all their files below one directory, the machine el9 in their lab file."""

    def __init__(self, libvirt: Libvirt, directory: Path, box_file: Path) -> None:
        self.libvirt = libvirt
        self.state = directory / "state"
        machine = {"name": "el9", "box": "skiff/el9", "box_url": str(box_file), "address": "192.168.56.19"}
        lab = {"memory": 1024, "cpus": 2, "libvirt": {"driver": "qemu"}, "machines": [machine]}
        (directory / "lab.yml").write_text(yaml.safe_dump(lab))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SKIFF_", "VAGRANT_", "SSH_"))}
        self.env = {
            **clean,
            "HOME": str(directory),
            "VAGRANT_HOME": str(directory / "home"),
            "VAGRANT_DOTFILE_PATH": str(self.state),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_CWD": str(ROOT),
            "SKIFF_LAB_FILE": str(directory / "lab.yml"),
            "XDG_STATE_HOME": str(directory / "runs"),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *command: str, errors: int = subprocess.STDOUT) -> subprocess.Popen[str]:
        pipes: Dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": errors}
        return subprocess.Popen(self.libvirt.argv(*command), text=True, env=self.env, cwd=ROOT, start_new_session=True, **pipes)

    def run(self, *command: str) -> str:
        """What a command says, which must go well."""
        with self.start(*command) as started:
            said = started.communicate(timeout=LONGEST)[0]
        assert started.returncode == 0, said
        return said

    def inv(self, *words: str) -> str:
        return self.run(sys.executable, "-c", RUN, "--search-root", str(ROOT), *words)

    def ask(self, task: str, *words: str) -> Dict[str, Any]:
        """What a task that goes to the lab's hosts says of each; its connections have the time that emulation takes."""
        argv = [sys.executable, "-c", RUN, "--search-root", str(ROOT), task, "--hosts", "lab", "--connect-timeout", "120"]
        with self.start(*argv, *words, "--json", errors=subprocess.PIPE) as started:
            document, told = started.communicate(timeout=LONGEST)
        assert started.returncode == 0, document + told
        found: Dict[str, Any] = json.loads(document)
        return found

    def kill_up(self, at: str, volumes: int) -> str:
        """Cuts a `vagrant up` dead when it has said this and libvirt has so many volumes; what it had said."""
        with self.start("vagrant", "up", "--provider", "libvirt") as started:
            assert started.stdout is not None
            said = []
            for line in started.stdout:
                said.append(line)
                if at in line:
                    break
            else:
                raise AssertionError(f"it ended without {at!r}:\n{''.join(said)}")
            while len(self.volumes()) < volumes:
                assert started.poll() is None, "".join(said)
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate(timeout=60)
            return "".join(said)

    def volumes(self) -> list[str]:
        """The names of libvirt's volumes."""
        listed = self.libvirt.run("virsh", "-q", "-c", "qemu:///system", "vol-list", "default")
        return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()] if listed.returncode == 0 else []


@pytest.fixture(scope="module")
def checkout(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    machines.close()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"not installed: {' '.join(missing)}" if missing else "libvirtd needs root")
    try:
        box_file = box.obtain()
    except FleetError as error:
        pytest.fail(f"the box could not be built: {error}\n{error.details}")
    directory = tmp_path_factory.mktemp("vagrant")
    with Libvirt(directory) as libvirt:
        yield Checkout(libvirt, directory, box_file)


def test_an_up_that_was_killed_half_way_through_a_box_is_begun_anew(checkout: Checkout) -> None:
    checkout.kill_up("Uploading base box image", 1)
    [part] = checkout.volumes()
    said = checkout.kill_up("Creating domain with the following settings", 2)
    assert f"removing the volume {part}, left by an up that was cut" in said


def test_lab_up_goes_on_and_tells_where_the_machine_is(checkout: Checkout) -> None:
    """What libvirtd was asked for by the killed one it may end only now: that is cleared as well."""
    [disk] = [name for name in checkout.volumes() if name.startswith("skiff-lab-")]
    said = checkout.inv("lab.up", "--provider", "libvirt").splitlines()
    assert f"el9: removing the volume {disk}, left by an up that was cut" in said
    assert "el9: Starting domain." in said
    name, address, _, port, provider, state = said[-1].split()
    assert (name, port, provider, state) == ("el9", "22", "libvirt", "running")
    assert address.startswith("192.168.121.")
    assert checkout.inv("lab.status").splitlines() == said[-1:]


def test_its_facts_tell_what_it_can_virtualise(checkout: Checkout) -> None:
    facts = checkout.ask("facts")["el9"]
    assert (facts["hostname"], facts["os"]["id"], facts["cgroup"], facts["virtualisation"]) == ("el9", "centos", "v2", "qemu")
    # QEMU emulates svm, with nesting.
    assert (facts["cpu_flags"], facts["kvm"], facts["nested"]) == (["svm"], True, True)


def test_it_is_provisioned_verified_and_then_as_declared(checkout: Checkout) -> None:
    changed = checkout.ask("provision", *SLOW)["hosts"]["el9"]
    assert changed["state"] == "changed"
    assert checkout.ask("provision", *SLOW)["hosts"]["el9"]["state"] == "ok"
    assert checkout.ask("verify", *SLOW)["hosts"]["el9"]["state"] == "ok"
    assert "Server" in checkout.inv("lab.ssh", "el9", "--command", "sudo skiff version")


def test_a_plain_vagrant_keeps_the_inventory_right(checkout: Checkout) -> None:
    before = (checkout.state / "machines/el9/libvirt/known_hosts").read_text()
    (checkout.state / "machines/el9/libvirt/host.yml").unlink()
    checkout.run("vagrant", "reload")
    assert (checkout.state / "machines/el9/libvirt/known_hosts").read_text() == before
    answers = checkout.ask("exec", "--command", "uptime -s")
    assert answers["el9"]["answer"]["status"] == 0


def test_another_host_key_is_refused(checkout: Checkout) -> None:
    known = checkout.state / "machines/el9/libvirt/known_hosts"
    before = known.read_text()
    known.write_text("".join(f"{line[:-12]}AAAAAAAAAAA=\n" for line in before.splitlines()))
    with checkout.start("vagrant", "up") as started:
        said = started.communicate(timeout=LONGEST)[0]
    assert started.returncode != 0
    assert f"remove {known}" in said
    known.write_text(before)


def test_lab_down_leaves_nothing_but_the_box(checkout: Checkout) -> None:
    checkout.inv("lab.down")
    assert checkout.libvirt.virsh("list", "--all") == []
    assert [name for name in checkout.volumes() if name.startswith("skiff-lab-")] == []
    assert list(checkout.state.glob("machines/*/*/host.yml")) == []
