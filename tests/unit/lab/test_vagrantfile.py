"""The Vagrantfile, loaded by Vagrant itself: what it makes of a lab file for each provider, and what it says of a faulty one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LAB = """\
memory: 1024
cpus: 2
libvirt: {driver: kvm}
machines:
  - {name: el9, box: almalinux/9, address: 192.168.56.19}
  - {name: big, box: own, box_url: /boxes/own.box, address: 192.168.56.20, memory: 4096, cpus: 4, nested: true}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Skips where there is no Vagrant whose parts a Ruby of this machine can load; Vagrant's own files go here."""
    ruby = shutil.which("ruby")
    if ruby is None or subprocess.run([ruby, "-e", 'require "vagrant"; gem "vagrant-libvirt"'], capture_output=True).returncode:
        pytest.skip("not installed: vagrant vagrant-libvirt")
    return tmp_path_factory.mktemp("vagrant")


def run(home: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program with a Vagrant that has no file but below `home`, and a lab file there."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VAGRANT_", "SKIFF_"))}
    own = {"HOME": str(home), "VAGRANT_HOME": str(home / "home"), "VAGRANT_DOTFILE_PATH": str(home / "state")}
    (home / "lab.yml").write_text(LAB)
    quiet = {"VAGRANT_CHECKPOINT_DISABLE": "1", "SKIFF_LAB_FILE": str(home / "lab.yml"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, cwd=ROOT, env={**clean, **own, **quiet, **environment}, capture_output=True, text=True)


def load(home: Path, **environment: str) -> Dict[str, Any]:
    done = run(home, "ruby", str(HERE / "vagrant_config.rb"), str(ROOT), **environment)
    assert done.returncode == 0, done.stderr
    found: Dict[str, Any] = json.loads(done.stdout)
    assert [machine["errors"] for machines in found.values() for machine in machines.values()] == [[]] * 8
    return found


@pytest.fixture(scope="module")
def made(home: Path) -> Dict[str, Any]:
    return load(home)


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox", "vmware_desktop"])
def test_machines_are_as_the_file_says(made: Dict[str, Any], provider: str) -> None:
    el9, big = made[provider]["el9"], made[provider]["big"]
    assert (el9["box"], el9["hostname"], el9["box_url"]) == ("almalinux/9", "el9", None)
    assert (big["box"], big["hostname"], big["box_url"]) == ("own", "big", ["/boxes/own.box"])
    assert [el9["networks"], big["networks"]] == [[["private_network", "192.168.56.19"]], [["private_network", "192.168.56.20"]]]


def test_libvirt_by_kvm(made: Dict[str, Any]) -> None:
    el9, big = made["libvirt"]["el9"]["own"], made["libvirt"]["big"]["own"]
    assert [(each["memory"], each["cpus"], each["nested"]) for each in (el9, big)] == [(1024, 2, False), (4096, 4, True)]
    assert (el9["driver"], el9["cpu_mode"], el9["cpu_model"], el9["graphics_type"]) == ("kvm", "host-passthrough", "", "none")
    assert el9["default_prefix"].startswith("skiff-lab-")


def test_libvirt_by_emulation_is_chosen_by_the_environment_and_has_time_to_boot(home: Path, made: Dict[str, Any]) -> None:
    found = load(home, SKIFF_LAB_DRIVER="qemu")["libvirt"]["el9"]
    assert (found["own"]["driver"], found["own"]["cpu_mode"]) == ("qemu", "maximum")
    assert found["boot_timeout"] > made["libvirt"]["el9"]["boot_timeout"]
    named = load(home, SKIFF_LAB_DRIVER="qemu", SKIFF_LAB_CPU="Nehalem")["libvirt"]["el9"]["own"]
    assert (named["cpu_mode"], named["cpu_model"]) == ("custom", "Nehalem")


def test_virtualbox(made: Dict[str, Any]) -> None:
    def said(name: str) -> Dict[str, str]:
        words = [words for when, words in made["virtualbox"][name]["own"]["customizations"] if when == "pre-boot"]
        assert all(word[:2] == ["modifyvm", "id"] for word in words)
        return {word[2]: str(word[3]) for word in words}

    assert said("el9") == {"--memory": "1024", "--cpus": "2", "--nested-hw-virt": "off"}
    assert said("big") == {"--memory": "4096", "--cpus": "4", "--nested-hw-virt": "on"}


def test_vmware_desktop(made: Dict[str, Any]) -> None:
    assert made["vmware_desktop"]["el9"]["own"]["vmx"] == {"memsize": "1024", "numvcpus": "2", "vhv.enable": "FALSE"}
    assert made["vmware_desktop"]["big"]["own"]["vmx"] == {"memsize": "4096", "numvcpus": "4", "vhv.enable": "TRUE"}


def test_hyperv_is_on_a_switch(made: Dict[str, Any]) -> None:
    el9, big = made["hyperv"]["el9"], made["hyperv"]["big"]
    assert (el9["own"]["memory"], el9["own"]["cpus"], el9["own"]["enable_virtualization_extensions"]) == (1024, 2, False)
    assert (big["own"]["memory"], big["own"]["cpus"], big["own"]["enable_virtualization_extensions"]) == (4096, 4, True)
    assert ["public_network", "Default Switch"] in el9["networks"]


def test_vagrant_validates_it_with_libvirt_and_virtualbox(home: Path, tmp_path: Path) -> None:
    """Hyper-V answers on Windows alone, and vmware_desktop only where it is bought: of those, all but their own blocks."""
    manager = tmp_path / "VBoxManage"
    manager.write_text("#!/bin/sh\necho 7.0.20r163906\n")
    manager.chmod(0o755)
    for provider, lab in (("libvirt", ""), ("virtualbox", str(home / "lab.yml"))):  # the repository's own, and ours
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = run(home, "vagrant", "validate", VAGRANT_DEFAULT_PROVIDER=provider, PATH=path, SKIFF_LAB_FILE=lab)
        assert (done.returncode, done.stdout) == (0, "Vagrantfile validated successfully.\n"), done.stderr
    assert run(home, "vagrant", "validate", "--ignore-provider").returncode == 0


def test_vagrant_shows_a_fault_and_nothing_else(home: Path) -> None:
    (home / "bad.yml").write_text(LAB.replace("cpus: 2\n", "cpus: two\n"))
    done = run(home, "vagrant", "validate", SKIFF_LAB_FILE=str(home / "bad.yml"))
    said = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, said[1:]) == (1, [f'{home}/bad.yml:2: cpus: should be a whole number from 1 up, not "two"'])


ONE = "{name: a, box: b, address: 10.0.0.1}"
# A lab file: a change of the one below, or the text itself; and what is told of it after the file's name.
GOOD = f"memory: 512\ncpus: 1\nlibvirt: {{}}\nmachines:\n  - {ONE}\n"
NAME = "should be a host's name of small letters, digits and dashes"
TEXTS = [
    ("", ":1: should be a mapping, not nothing"),
    ("- a\n", ":1: should be a mapping, not a list"),
    ("memory: 1024\nmachines: []\n", ":1: lacks the key cpus"),
    ("memory: [\n", ":2: is not YAML: did not find expected node content while parsing a flow node"),
    ("memory: !ruby/object:Object {}\n", ": holds what no lab needs: Tried to load unspecified class: Object"),
    ("memory: 512\ncpus: 1\nmachines: []\n", ":3: machines: is empty"),
    ("? [memory]\n: 512\n", ":1: a key should be a plain word"),
]
CHANGES = [
    ("memory: 512", "memory: 64", ":1: memory: should be a whole number from 256 up, not 64"),
    ("cpus: 1", "cpus: 1\ncpu: 2", ":3: cpu: unknown key; known: memory, cpus, nested, libvirt, hyperv, machines"),
    ("cpus: 1", "cpus: 1\nmemory: 512", ":3: memory: is given twice"),
    ("libvirt: {}", "libvirt: {driver: xen}", ':3: libvirt.driver: should be one of auto, kvm, qemu, not "xen"'),
    ("libvirt: {}", "libvirt: {cpu: [a]}", ":3: libvirt.cpu: should be a mode or model of libvirt's, not a list"),
    ("libvirt: {}", "hyperv: on", ":3: hyperv: should be a mapping, not true"),
    (f"\n  - {ONE}", " {a: b}", ":4: machines: should be a list, not a mapping"),
    (ONE, "{name: a, box: b}", ":5: machines[0]: lacks the key address"),
    (ONE, f"{ONE}\n  - {ONE}", ':6: machines[1].name: "a" is another machine\'s too'),
    ("name: a", "name: a b", f':5: machines[0].name: {NAME}, not "a b"'),
    ("10.0.0.1", "10.0.0.300", ':5: machines[0].address: should be an IP address, not "10.0.0.300"'),
    ("10.0.0.1", "10.0.0.1, nested: 1", ":5: machines[0].nested: should be true or false, not 1"),
]
FAULTS = [*TEXTS, *((GOOD.replace(old, new), told) for old, new, told in CHANGES), (GOOD, None)]


def test_a_fault_is_told_with_its_file_line_and_key(home: Path, tmp_path: Path) -> None:
    files = []
    for number, (text, _) in enumerate(FAULTS):
        files.append(tmp_path / f"{number}.yml")
        files[-1].write_text(text)
    missing = tmp_path / "none.yml"
    done = run(
        home, "ruby", str(HERE / "vagrant_faults.rb"), str(ROOT / "fleet/lab/vagrant/lab_file.rb"), *map(str, files), str(missing)
    )
    assert done.returncode == 0, done.stderr
    *told, last = json.loads(done.stdout)
    assert told == ["" if fault is None else f"{file}{fault}" for file, (_, fault) in zip(files, FAULTS)]
    assert last.startswith(f"{missing}: cannot be read: No such file")


def test_a_wrong_environment_is_told(home: Path) -> None:
    reader = str(ROOT / "fleet/lab/vagrant/lab_file.rb")
    done = run(home, "ruby", str(HERE / "vagrant_faults.rb"), reader, str(home / "lab.yml"), SKIFF_LAB_DRIVER="xen")
    assert json.loads(done.stdout) == ['SKIFF_LAB_DRIVER should be one of auto, kvm, qemu, not "xen"']


@pytest.fixture(scope="module")
def doubles(home: Path) -> Dict[str, Any]:
    place = home / "doubles"
    place.mkdir()
    done = run(home, "ruby", str(HERE / "vagrant_machine.rb"), str(ROOT / "fleet/lab/vagrant"), str(place))
    assert done.returncode == 0, done.stderr
    found: Dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_machine_tells_how_it_is_reached_and_its_keys(home: Path, doubles: Dict[str, Any]) -> None:
    host, known = doubles["port"]
    assert yaml.safe_load(host) == {
        "address": "127.0.0.1",
        "port": 2222,
        "user": "vagrant",
        "identity_file": f"{home}/doubles/private_key",
        "known_hosts": "known_hosts",
    }
    assert known == "[127.0.0.1]:2222 ssh-ed25519 AAAA\n[127.0.0.1]:2222 ecdsa BBBB\n"
    assert doubles["plain"][1] == "192.168.121.5 ssh-ed25519 AAAA\n"
    assert "identity_file" not in yaml.safe_load(doubles["keyless"][0])


def test_another_port_is_told_and_another_key_is_refused(home: Path, doubles: Dict[str, Any]) -> None:
    assert doubles["again"][1] == "[127.0.0.1]:2200 ssh-ed25519 AAAA\n"
    [refused] = doubles["another"]
    assert refused.startswith("port: its host keys are not those of its first start.")
    assert refused.endswith(f"remove {home}/doubles/port/known_hosts")
    assert "no host key" in doubles["mute"][0]


def test_what_a_killed_up_left_is_removed_and_nothing_of_anybody_else(doubles: Dict[str, Any]) -> None:
    assert doubles["killed"] == ["off p-el9", "undefine p-el9", "p-el9.img", "p-el9_1.img"]
    assert doubles["running"] == []


def test_a_box_that_was_uploaded_in_part_is_removed_unless_a_disk_stands_on_it(doubles: Dict[str, Any]) -> None:
    assert doubles["whole"] == doubles["once"] == doubles["used"] == []
    assert doubles["partial"] == ["own-VAGRANTSLASH-el9_vagrant_box_image_1.2_box.img"]
