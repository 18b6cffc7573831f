"""What `lab.up --provider` makes of Vagrant, which a program of its name stands in for: progress, state, errors with their cure."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet.errors import FleetError, UsageError
from fleet.lab.vagrant import Machines, program

KEY = "[127.0.0.1]:2222 ssh-ed25519 AAAA\n"
HOST = "address: 127.0.0.1\nport: 2222\nuser: vagrant\nidentity_file: /keys/el9\nknown_hosts: known_hosts\n"
SAY = "say() { printf '1795727838,%s\\n' \"$@\"; }\n"
STATUS = """\
echo '1795727838,el9,metadata,provider,virtualbox
1795727838,el9,provider-name,virtualbox
1795727838,el9,state,running
1795727838,el8,provider-name,virtualbox
1795727838,el8,state,not_created
1795727838,,ui,info,Current machine states:'
"""


class Checkout:
    """A checkout with a `vagrant` first on PATH, whose body is a shell script, and that writes down its calls."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.machines = Machines(home)
        self.said: list[str] = []

    def vagrant(self, body: str) -> None:
        program = self.home / "bin" / "vagrant"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$VAGRANT_CWD $*" >>{self.home}/calls\n{SAY}{body}')
        program.chmod(0o755)

    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().replace(f"{self.home} ", "").splitlines()

    def told(self, name: str = "el9", provider: str = "virtualbox") -> None:
        place = self.home / ".vagrant/machines" / name / provider
        place.mkdir(parents=True)
        for file, text in (("id", "1"), ("host.yml", HOST), ("known_hosts", KEY)):
            (place / file).write_text(text)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    for name in ("VAGRANT_DOTFILE_PATH", "VAGRANT_CWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return Checkout(tmp_path)


def test_up_tells_what_goes_on_and_where_the_machines_are(checkout: Checkout) -> None:
    up = "say ',ui,info,Bringing up%!(VAGRANT_COMMA) slowly' 'el9,ui,detail,==> el9: Booting\\n    el9: b\\n    el9:'"
    checkout.vagrant(f'case "$1" in up) {up} ;; *) {STATUS} ;; esac')
    checkout.told("el9")
    checkout.told("el8")
    found = checkout.machines.up("virtualbox", checkout.said.append)
    assert checkout.said == ["Bringing up, slowly", "el9: Booting", "el9: b"]
    assert checkout.calls() == ["up --provider virtualbox --machine-readable", "status --machine-readable"]
    assert [(each.name, each.where, each.provider, each.state) for each in found] == [
        ("el9", "127.0.0.1 port 2222", "virtualbox", "running"),
        ("el8", "127.0.0.1 port 2222", "virtualbox", "not_created"),
    ]


def test_a_machine_that_is_up_but_told_nothing_is_no_success(checkout: Checkout) -> None:
    checkout.vagrant(STATUS)
    checkout.told("el9")
    with pytest.raises(FleetError, match="started el8 without") as caught:
        checkout.machines.up("virtualbox", checkout.said.append)
    assert "VAGRANT_NO_TRIGGERS" in caught.value.resolution


def test_another_provider_is_refused_before_anything_is_started(checkout: Checkout) -> None:
    with pytest.raises(UsageError, match="'docker' is none of libvirt, virtualbox, vmware_desktop, hyperv"):
        checkout.machines.up("docker", checkout.said.append)


def test_a_missing_vagrant_is_told_with_what_to_install(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(FleetError, match="Vagrant is not installed") as caught:
        checkout.machines.up("libvirt", checkout.said.append)
    assert "apt-get install vagrant vagrant-libvirt" in caught.value.resolution


@pytest.mark.parametrize(
    ("provider", "kind", "cure"),
    [
        ("libvirt", "Vagrant::Errors::ProviderNotFound", "vagrant plugin install vagrant-libvirt"),
        ("vmware_desktop", "Vagrant::Errors::ProviderNotFound", "vagrant plugin install vagrant-vmware-desktop"),
        ("hyperv", "Vagrant::Errors::ProviderNotUsable", "choose another by --provider"),
        ("libvirt", "VagrantPlugins::ProviderLibvirt::Errors::FogLibvirtConnectionError", "systemctl start libvirtd"),
        ("libvirt", "Vagrant::Errors::DownloaderError", "`box_url` there names a file"),
        ("libvirt", "Vagrant::Errors::VMBootTimeout", "run this again"),
        ("libvirt", "Vagrant::Errors::Another", ""),
    ],
)
def test_an_error_has_its_cause_and_its_cure(checkout: Checkout, provider: str, kind: str, cure: str) -> None:
    checkout.vagrant(f"say ',error-exit,{kind},the cause%!(VAGRANT_COMMA)\\nin two lines'; exit 1")
    with pytest.raises(FleetError) as caught:
        checkout.machines.up(provider, checkout.said.append)
    assert (caught.value.brief, caught.value.details) == (f"vagrant up --provider {provider} failed.", "the cause,\nin two lines")
    assert cure in caught.value.resolution
    assert bool(cure) == bool(caught.value.resolution)


def test_a_fault_of_the_lab_file_is_told_as_the_vagrantfile_tells_it(checkout: Checkout) -> None:
    checkout.vagrant("printf 'Vagrant failed to initialize at a very early stage:\\n\\nlab.yml:3: memory: wrong\\n' >&2; exit 1")
    with pytest.raises(FleetError) as caught:
        checkout.machines.up("libvirt", checkout.said.append)
    assert caught.value.details == "lab.yml:3: memory: wrong"


def test_another_vagrant_is_waited_for(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PAUSE", 0.0)
    locked = f"say ',error-exit,{program.LOCKED},locked'; exit 1"
    checkout.vagrant(f'[ "$(wc -l <{checkout.home}/calls)" -gt 2 ] || {{ {locked}; }}; {STATUS}')
    checkout.told("el9")
    checkout.told("el8")
    assert checkout.machines.up("virtualbox", checkout.said.append)
    assert checkout.said.count("another vagrant has a machine of this lab in hand; waiting for it") == 2


def test_what_libvirt_ends_late_is_cleared_by_one_more_up(checkout: Checkout) -> None:
    late = "VagrantPlugins::ProviderLibvirt::Errors::FogCreateServerError,Error%!(VAGRANT_COMMA) domain 'el9' already exists"
    checkout.vagrant(f'[ "$(wc -l <{checkout.home}/calls)" -gt 1 ] || {{ say ",error-exit,{late}"; exit 1; }}; {STATUS}')
    checkout.told("el9")
    checkout.told("el8")
    assert checkout.machines.up("libvirt", checkout.said.append)
    assert checkout.calls() == ["up --provider libvirt --machine-readable"] * 2 + ["status --machine-readable"]


def test_it_is_no_endless_loop(checkout: Checkout) -> None:
    checkout.vagrant("say ',error-exit,VagrantPlugins::ProviderLibvirt::Errors::DomainNameExists,taken'; exit 1")
    with pytest.raises(FleetError, match="failed"):
        checkout.machines.up("libvirt", checkout.said.append)
    assert len(checkout.calls()) == 2


def test_a_lock_that_never_goes_is_told(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", -1.0)
    checkout.vagrant(f"say ',error-exit,{program.LOCKED},locked'; exit 1")
    with pytest.raises(FleetError, match="failed") as caught:
        checkout.machines.down(checkout.said.append)
    assert "Wait for the other vagrant" in caught.value.resolution


def test_ctrl_c_waits_until_vagrant_has_cleaned_up(checkout: Checkout) -> None:
    """As a terminal does it: the signal goes to both."""
    body = "trap 'sleep 0.5; touch cleaned; exit 1' INT\ntouch started\nwhile :; do sleep 0.05; done\n"
    checkout.vagrant(f"cd {checkout.home}\n{body}")
    up = f"Machines(Path({str(checkout.home)!r})).up('libvirt', print)"
    code = f"from pathlib import Path; from fleet.lab.vagrant import Machines; {up}"
    root = Path(__file__).resolve().parents[3]
    started = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (checkout.home / "started").exists():
        assert started.poll() is None
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGINT)
    output, errors = started.communicate()
    assert (checkout.home / "cleaned").exists()
    assert "vagrant is cleaning up" in output
    assert "KeyboardInterrupt" in errors


def test_whether_there_are_machines_is_asked_of_the_files_alone(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not checkout.machines.exist()
    checkout.told()
    assert checkout.machines.exist()
    monkeypatch.setenv("VAGRANT_DOTFILE_PATH", "elsewhere")
    assert not checkout.machines.exist()


def test_ssh_checks_the_key_that_was_pinned(checkout: Checkout) -> None:
    checkout.told()
    assert checkout.machines.find("el8") is None
    host = checkout.machines.find("el9")
    assert host is not None
    argv = checkout.machines.ssh_argv(host)
    known = checkout.home / ".vagrant/machines/el9/virtualbox/known_hosts"
    assert argv[-3:] == ["-p", "2222", "vagrant@127.0.0.1"]
    assert {f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes"} <= set(argv)
