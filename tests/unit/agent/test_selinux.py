"""SELinux's three places: what cannot be set is told, never passed over."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.agent import process
from fleet.agent.errors import AgentError
from fleet.agent.kinds import selinux

INFO = 'index=0\nkernel="/boot/vmlinuz"\nargs="ro quiet{}"\n'
# What grubby says on release 9, with the rescue entry and another system's.
NINE = """index=0
kernel="/boot/vmlinuz-5.14.0-503.14.1.el9_5.x86_64"
args="ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M rhgb quiet $tuned_params{0}"
root="/dev/mapper/rl-root"
initrd="/boot/initramfs-5.14.0-503.14.1.el9_5.x86_64.img $tuned_initrd"
title="Rocky Linux (5.14.0-503.14.1.el9_5.x86_64) 9.5 (Blue Onyx)"
id="8be3d8c9e6a94cf0a1b5a3a9d2f3c4e5-5.14.0-503.14.1.el9_5.x86_64"
index=1
kernel="/boot/vmlinuz-0-rescue-8be3d8c9e6a94cf0a1b5a3a9d2f3c4e5"
{1}
root="/dev/mapper/rl-root"
initrd="/boot/initramfs-0-rescue-8be3d8c9e6a94cf0a1b5a3a9d2f3c4e5.img"
title="Rocky Linux (0-rescue-8be3d8c9e6a94cf0a1b5a3a9d2f3c4e5) 9.5 (Blue Onyx)"
id="8be3d8c9e6a94cf0a1b5a3a9d2f3c4e5-0-rescue"
index=2
non linux entry
"""
# As hosts of release 7 (no quotes but the arguments') and 10 were seen to print it.
SEVEN = """index=0
kernel=/boot/vmlinuz-3.10.0-1160.76.1.el7.x86_64
args="ro rd.lvm.lv=centos/root rd.lvm.lv=centos/swap rhgb quiet LANG=zh_CN.UTF-8{0}"
root=/dev/mapper/centos-root
initrd=/boot/initramfs-3.10.0-1160.76.1.el7.x86_64.img
title=CentOS Linux (3.10.0-1160.76.1.el7.x86_64) 7 (Core)
index=1
kernel=/boot/vmlinuz-3.10.0-957.el7.x86_64
args="ro rd.lvm.lv=centos/root rd.lvm.lv=centos/swap rhgb quiet LANG=zh_CN.UTF-8"
root=/dev/mapper/centos-root
initrd=/boot/initramfs-3.10.0-957.el7.x86_64.img
title=CentOS Linux (3.10.0-957.el7.x86_64) 7 (Core)
"""
TEN = """index=0
kernel="/boot/vmlinuz-6.12.0-124.8.1.el10_1.x86_64"
args="ro console=tty0 console=ttyS0,115200n8 no_timer_check biosdevname=0 net.ifnames=0 rhgb quiet{0}"
root="UUID=99bf1bf0-97c8-472e-9e64-fc4fee387b2b"
initrd="/boot/initramfs-6.12.0-124.8.1.el10_1.x86_64.img"
title="AlmaLinux (6.12.0-124.8.1.el10_1.x86_64) 10.1 (Heliotrope Lion)"
id="3ecb26dceaf3416f95b3b3ca09b940c1-6.12.0-124.8.1.el10_1.x86_64"
index=1
kernel="/boot/vmlinuz-6.12.0-124.47.1.el10_1.x86_64"
args="ro console=tty0 console=ttyS0,115200n8 no_timer_check biosdevname=0 net.ifnames=0 $tuned_params"
"""
RESCUE = 'args="ro rhgb quiet{}"'
OFF = " selinux=0"


class Nine:
    """A host of release 9, or another."""

    reboot = ""

    def __init__(self, release: str = "9") -> None:
        self.facts = {"os": {"version_id": release}}

    def needs_reboot(self, reason: str) -> None:
        self.reboot = reason


@pytest.fixture
def enforcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel that enforces, and its file."""
    for name, text in (("ENFORCE", "1"), ("FILE", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(selinux, name, str(tmp_path / name))
    monkeypatch.setattr(selinux, "CMDLINE", str(tmp_path / "cmdline"))
    monkeypatch.setattr(selinux, "_boot_files", lambda: [str(tmp_path / "grubenv")])
    return tmp_path


def answer(monkeypatch: pytest.MonkeyPatch, said: str, status: int = 0) -> None:
    monkeypatch.setattr(process, "run", lambda argv, *_: process.Finished(argv, status, said, ""))


def test_off_from_release_9_on_takes_the_kernels_arguments(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine()
    answer(monkeypatch, INFO.format("") + INFO.format(" selinux=0"))
    change = selinux.check({"mode": "disabled"}, host)
    assert change is not None
    assert change.summary == "SELinux disabled: now, in its file, in the kernel's arguments"
    assert host.reboot == "SELinux stays on until this host is started anew"


@pytest.mark.parametrize(("said", "status"), [("", process.MISSING), ("", 1), ("index=0\n", 0)])
def test_off_is_no_success_where_the_arguments_cannot_be_told(
    enforcing: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: int
) -> None:
    host: Any = Nine()
    answer(monkeypatch, said, status)
    with pytest.raises(AgentError, match="the kernel's arguments cannot be told"):
        selinux.check({"mode": "disabled"}, host)


def test_a_missing_grubby_is_told_with_the_cure(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine("10.0")
    answer(monkeypatch, "", process.MISSING)
    with pytest.raises(AgentError) as caught:
        selinux.check({"mode": "disabled"}, host)
    assert "grubby is not installed" in caught.value.details
    assert "dnf install grubby" in caught.value.resolution


@pytest.mark.parametrize("release", ["9.5", "10"])
@pytest.mark.parametrize(
    ("first", "rescue", "wanted"),
    [
        (OFF, RESCUE.format(OFF), False),
        (OFF, RESCUE.format(""), True),
        (OFF, "", True),  # an entry without a line of arguments
        ("", RESCUE.format(OFF), True),
        (" selinux=01", RESCUE.format(OFF), True),
    ],
)
def test_off_is_off_in_every_boot_entry(
    enforcing: Path, monkeypatch: pytest.MonkeyPatch, release: str, first: str, rescue: str, wanted: bool
) -> None:
    host: Any = Nine(release)
    (enforcing / "ENFORCE").write_text("0")
    (enforcing / "FILE").write_text("SELINUX=disabled\n")
    answer(monkeypatch, NINE.format(first, rescue))
    change = selinux.check({"mode": "disabled"}, host)
    assert (change.summary if change else None) == ("SELinux disabled: in the kernel's arguments" if wanted else None)


@pytest.mark.parametrize("release", ["7.9", "8.10"])
def test_before_release_9_the_file_is_enough(enforcing: Path, monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    host: Any = Nine(release)
    answer(monkeypatch, "", process.MISSING)
    change = selinux.check({"mode": "disabled"}, host)
    assert change is not None
    assert change.summary == "SELinux disabled: now, in its file"


def test_an_argument_that_stays_cannot_be_passed_over(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine()
    (enforcing / "grubenv").write_text("kernelopts=ro selinux=0\n")
    answer(monkeypatch, "", process.MISSING)
    with pytest.raises(AgentError, match="the kernel's arguments cannot be told"):
        selinux.check({"mode": "enforcing"}, host)
    answer(monkeypatch, NINE.format("", RESCUE.format(OFF)))
    change = selinux.check({"mode": "enforcing"}, host)
    assert change is not None
    assert change.summary == "SELinux enforcing: in the kernel's arguments"


def test_a_container_sees_the_arguments_of_the_machine_outside(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine()
    (enforcing / "cmdline").write_text("ro selinux=0\n")
    answer(monkeypatch, "", process.MISSING)
    assert selinux.check({"mode": "enforcing"}, host) is None


def test_an_entry_that_grubby_leaves_is_no_success(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine()
    host.ledger = SimpleNamespace(enter=lambda *_: None)
    (enforcing / "ENFORCE").write_text("0")
    (enforcing / "FILE").write_text("SELINUX=disabled\n")
    answer(monkeypatch, NINE.format(OFF, RESCUE.format("")))
    change = selinux.check({"mode": "disabled"}, host)
    assert change is not None
    with pytest.raises(AgentError, match="grubby left a boot entry as it was"):
        selinux.apply({"mode": "disabled"}, change, host)


@pytest.mark.parametrize("said", [SEVEN, TEN])
def test_every_release_s_grubby_is_understood(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    answer(monkeypatch, said.format(OFF))
    assert selinux._entries()[1] == [True, False]


@pytest.mark.parametrize(
    ("text", "changed", "after"),
    [
        ("SELINUX=enforcing\n", True, "SELINUX=permissive\n"),
        ("SELINUX=Permissive\n", False, ""),
        ("SELINUX=enforcing # for now\n", True, "SELINUX=permissive # for now\n"),
        ("SELINUX=permissive#for now\n", False, ""),
        ("SELINUX= enforcing\n", True, "SELINUX=permissive\n"),
        # What libselinux does not read.
        (" SELINUX=permissive\n", True, " SELINUX=permissive\nSELINUX=permissive\n"),
        ("SELINUX = permissive\n", True, "SELINUX = permissive\nSELINUX=permissive\n"),
        ("#SELINUX=permissive\nSELINUX=none\n", True, "#SELINUX=permissive\nSELINUX=none\nSELINUX=permissive\n"),
    ],
)
def test_its_file_is_read_as_libselinux_reads_it(enforcing: Path, text: str, changed: bool, after: str) -> None:
    host: Any = Nine("8")
    (enforcing / "ENFORCE").write_text("0")
    (enforcing / "FILE").write_text(text)
    assert (selinux.check({"mode": "permissive"}, host) is not None) == changed
    if changed:
        assert selinux._document("permissive").data == after.encode()
