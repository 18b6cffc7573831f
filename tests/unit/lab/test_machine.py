from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.lab import PACKAGES, command, lock, machine, mounts

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "RUN", tmp_path / "run")
    monkeypatch.setattr(machine, "INOTIFY", tmp_path / "max_user_instances")
    monkeypatch.setattr(machine, "NAMESPACES", tmp_path / "netns")
    monkeypatch.setattr(machine, "NUMBERS", tuple(range(1, 21)))
    monkeypatch.setattr(command, "run", lambda _argv: "10.213.7.0/24 dev eth0")
    (tmp_path / "max_user_instances").write_text("128\n")
    return tmp_path / "run"


def test_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(FleetError, match="needs root") as caught:
        machine.check(Path("/var/lib/skiff-lab"))
    assert "Vagrant" in caught.value.resolution


def test_a_missing_program_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name in {"systemd-nspawn", "rpmbuild"} else f"/usr/bin/{name}")
    with pytest.raises(FleetError, match="systemd-nspawn, rpmbuild") as caught:
        machine.check(Path("/var/lib/skiff-lab"))
    assert "apt-get install --no-install-recommends -y rpm systemd-container\n" in caught.value.resolution
    assert "Vagrant" in caught.value.resolution


def test_a_container_without_privileges_is_told_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_argv: object) -> str:
        raise FleetError("unshare failed with status 1.", "unshare: unshare failed: Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "run", refuse)
    with pytest.raises(FleetError, match="does not let root make namespaces") as caught:
        machine.check(Path("/var/lib/skiff-lab"))
    assert "Operation not permitted" in caught.value.details
    assert "privileged" in caught.value.resolution


def test_a_directory_on_an_overlay_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "run", lambda _argv: "")
    monkeypatch.setattr(mounts, "current", lambda: [mounts.Mount("/", "overlay", ""), mounts.Mount("/vol", "ext4", "")])
    machine.check(Path("/vol/skiff-lab"))
    with pytest.raises(FleetError, match="/volume/skiff-lab lies on an overlay"):
        machine.check(Path("/volume/skiff-lab"))


def test_the_wrapper_installs_what_the_lab_calls() -> None:
    listed = {line.split()[1] for line in (ROOT / "debian.packages").read_text().splitlines() if line.startswith("lab ")}
    assert set(PACKAGES) - listed == {"util-linux"}, "essential: every Debian has it"


def test_every_lab_has_a_subnet_of_its_own_until_it_gives_it_back(run_directory: Path) -> None:
    labs = [Path(f"/var/lib/skiff-lab/labs/lab{n}") for n in range(19)]
    numbers = [machine.claim(lab) for lab in labs]
    assert len(set(numbers)) == 19
    assert 7 not in numbers, "a route of the machine leads there"
    assert [machine.claim(lab) for lab in labs] == numbers
    with pytest.raises(FleetError, match="Every subnet"):
        machine.claim(Path("/one/more"))
    machine.release(labs[3])
    assert machine.number(labs[3]) is None
    assert machine.claim(Path("/one/more")) == numbers[3]


def test_inotify_is_raised_for_many_hosts_and_restored_with_the_last_lab(run_directory: Path) -> None:
    first, second = Path("/labs/first"), Path("/labs/second")
    machine.claim(first)
    machine.allow_inotify(1)
    assert machine.INOTIFY.read_text() == "128\n"
    machine.claim(second)
    machine.allow_inotify(20)
    assert machine.INOTIFY.read_text() == "8192\n"
    machine.release(second)
    assert machine.INOTIFY.read_text() == "8192\n"
    machine.release(first)
    assert machine.INOTIFY.read_text() == "128\n"


def test_hosts_that_run_already_count_for_inotify(run_directory: Path) -> None:
    machine.NAMESPACES.mkdir()
    for host in range(8):
        (machine.NAMESPACES / f"skiff-lab-1-lab{host}").touch()
    machine.RUN.mkdir()
    machine.allow_inotify(1)
    assert machine.INOTIFY.read_text() == "8192\n"


def test_a_lock_is_released_by_leaving(tmp_path: Path) -> None:
    with lock.held(tmp_path / "a" / "lock") as fd:
        assert os.fstat(fd).st_size == 0
        assert not os.get_inheritable(fd)
    with lock.held(tmp_path / "a" / "lock"):
        pass
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 22 0:28 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
90 22 0:57 / /a\\040b/merged rw,relatime master:1 shared:2 - overlay name rw,lowerdir=/cache/look:/cache/root,upperdir=/u
"""


def test_mountinfo_is_read_with_its_escapes_and_optional_fields() -> None:
    assert mounts.table(MOUNTINFO) == [
        ("/", "ext4", "rw"),
        ("/sys/fs/cgroup/unified", "cgroup2", "rw"),
        ("/a b/merged", "overlay", "rw,lowerdir=/cache/look:/cache/root,upperdir=/u"),
    ]


def test_a_failed_command_is_told_with_its_last_lines() -> None:
    with pytest.raises(FleetError) as caught:
        command.run(["sh", "-c", "seq 50; echo wrong >&2; exit 3"])
    assert caught.value.brief == "sh failed with status 3."
    assert caught.value.details.splitlines()[-1] == "wrong"
    assert len(caught.value.details.splitlines()) == command.LAST_LINES + 1
    with pytest.raises(FleetError, match="no-such-program is missing"):
        command.run(["no-such-program"])


def test_a_mount_point_may_have_any_name() -> None:
    line = "40 22 0:44 / /home/op/{} rw,relatime - tmpfs tmpfs rw\n"
    names = ["a\r\x1c\u2028b", "\udcff"]
    assert [mount.target for mount in mounts.table("".join(map(line.format, names)))] == [f"/home/op/{name}" for name in names]
