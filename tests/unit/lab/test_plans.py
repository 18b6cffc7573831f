"""What the lab would do, as text and data: network commands, spec files, looks, inventories, cgroup paths."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest
import yaml

from fleet.lab import HostStatus, cgroups, interpreters, inventory, look, mounts, network, recipe, rpms


def test_the_switch_gets_the_machines_address_last() -> None:
    plan = network.switch_plan("skiff-lab-7", "sk7", "10.213.7")
    assert plan[0] == ["ip", "netns", "add", "skiff-lab-7"]
    assert plan[-1] == ["ip", "address", "add", "10.213.7.1/24", "dev", "sk7"], "its presence tells that the switch is complete"


def test_a_host_has_one_link_with_an_address_that_lasts() -> None:
    plan = network.host_plan("skiff-lab-7", "skiff-lab-7-lab1", "lab1", "10.213.7.11/24", "02:53:4b:07:00:0b")
    text = "\n".join(" ".join(argv) for argv in plan)
    assert "link add lab1 type veth peer name host0 address 02:53:4b:07:00:0b netns skiff-lab-7-lab1" in text
    assert "default" not in text, "a host reaches its lab and nothing else"


def test_names_fit_the_kernel() -> None:
    lab = network.Network(250)
    assert len(lab.uplink) <= 15
    assert lab.address(200) == "10.213.250.210"


@pytest.mark.parametrize("release", ["el7", "el8", "el9", "el10"])
def test_a_repository_has_what_roles_ask_for(release: str) -> None:
    packages = rpms.packages(release)
    names = [package.name for package in packages]
    assert len(names) == len(set(names))
    provided = {*names, *(what.split()[0] for package in packages for what in package.provides)}
    assert {need for package in packages for need in package.requires} <= provided
    assert {"yum-utils", "dnf-utils", "device-mapper-persistent-data", "lvm2", "iproute", "nftables", "python3", "curl"} <= provided
    assert ("python3.11" in names) == (release in {"el8", "el9"})


def test_a_spec_declares_and_fills_each_package() -> None:
    text = rpms.spec("el8")
    assert "%package -n python3.11\nVersion: 3.11.11\nRelease: 1.el8\n" in text
    assert f"ln -s {recipe.HIDDEN_PYTHON} %{{buildroot}}/usr/bin/python3.11" in text
    assert "%files -n python3.11\n/usr/share/lab/packages/python3.11\n/usr/bin/python3.11" in text
    assert text.count("%package -n") == text.count("%files -n") == len(rpms.packages("el8"))


def test_an_os_release_says_what_it_stands_for_and_that_it_is_a_stand_in() -> None:
    lines = look.os_release(recipe.RELEASES["el10"]).splitlines()
    assert 'NAME="CentOS Stream"' in lines
    assert 'ID="centos"' in lines
    assert 'ID_LIKE="rhel fedora"' in lines
    assert 'VERSION_ID="10"' in lines
    assert f'VARIANT="{recipe.STAND_IN}"' in lines
    assert look.has_python(recipe.RELEASES["el10"])
    assert not look.has_python(recipe.RELEASES["el7"])


def test_pyenvs_newest_python_of_a_version_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.9.2", "3.9.18", "3.10.13", "3.12-dev"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
        (tmp_path / "versions" / version / "bin" / "python3").touch()
    (tmp_path / "versions" / "3.9.20").mkdir()
    (tmp_path / "versions" / "3.9.18" / "lib").mkdir()
    (tmp_path / "versions" / "3.9.18" / "lib" / "libpython3.9.so.1.0").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    found = interpreters.find("3.9")
    assert found == tmp_path / "versions" / "3.9.18"
    assert [path.name for path in interpreters.libraries(found)] == ["libpython3.9.so.1.0"]
    assert interpreters.find("3.12") is None


def test_an_inventory_has_the_group_lab(tmp_path: Path) -> None:
    (tmp_path / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 AAAA skiff-lab\n")
    hosts = [HostStatus(f"lab{n}", f"10.213.7.1{n}", "el9", "running", "3.9") for n in (1, 2)]
    inventory.write(tmp_path, hosts)
    assert (tmp_path / "known_hosts").read_text() == "10.213.7.11 ssh-ed25519 AAAA\n10.213.7.12 ssh-ed25519 AAAA\n"
    group = yaml.safe_load((tmp_path / "inventory.yml").read_text())["groups"]["lab"]
    assert list(group["hosts"]) == ["lab1", "lab2"]
    assert group["hosts"]["lab2"] == {
        "address": "10.213.7.12",
        "port": 22,
        "user": "root",
        "identity_file": f"{tmp_path}/id_ed25519",
        "known_hosts": f"{tmp_path}/known_hosts",
    }


HYBRID = [mounts.Mount("/sys/fs/cgroup/memory", "cgroup", ""), mounts.Mount("/sys/fs/cgroup/unified", "cgroup2", "")]
UNIFIED = [mounts.Mount("/sys/fs/cgroup", "cgroup2", "")]


def test_on_a_hybrid_machine_a_host_enters_every_hierarchy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "current", lambda: HYBRID)
    groups = cgroups.Cgroups(7, "lab1")
    assert [str(path) for path in groups.directories()] == [
        "/sys/fs/cgroup/memory/skiff-lab/7/lab1",
        "/sys/fs/cgroup/unified/skiff-lab/7/lab1",
    ]
    assert groups.prefix()[-3:] == [
        "/sys/fs/cgroup/memory/skiff-lab/7/lab1/cgroup.procs",
        "/sys/fs/cgroup/unified/skiff-lab/7/lab1/cgroup.procs",
        "--",
    ]


@pytest.mark.parametrize("systemd", [True, False])
def test_on_a_v2_machine_a_running_systemd_is_asked_for_a_scope(systemd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "current", lambda: UNIFIED)
    monkeypatch.setattr(Path, "is_dir", lambda _self: systemd)
    groups = cgroups.Cgroups(7, "lab1")
    if systemd:
        assert groups.prefix()[:3] == ["systemd-run", "--quiet", "--scope"]
        assert [str(path) for path in groups.directories()] == ["/sys/fs/cgroup/machine.slice/skiff-lab-7-lab1.scope"]
    else:
        assert [str(path) for path in groups.directories()] == ["/sys/fs/cgroup/skiff-lab/7/lab1"]


def test_v2_controllers_are_handed_down_level_by_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "current", lambda: [mounts.Mount("/sys/fs/cgroup", "cgroup2", "")])
    groups = cgroups.Cgroups(7, "lab1")
    groups.v2, groups.scoped = [tmp_path], False
    for level in (tmp_path, tmp_path / "skiff-lab", tmp_path / "skiff-lab/7"):
        level.mkdir(exist_ok=True)
        (level / "cgroup.controllers").write_text("memory pids\n")
    groups.make()
    assert (tmp_path / "skiff-lab/7/lab1").is_dir()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids", (
        "each controller is written by itself, for one may be refused"
    )
    assert (tmp_path / "skiff-lab/7/cgroup.subtree_control").read_text() == "+pids"


def test_a_level_that_another_host_takes_away_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts boot and end at once; an empty level goes with the last that ended."""
    groups = cgroups.Cgroups(7, "lab1")
    groups.v1, groups.v2, groups.scoped = [tmp_path], [], False
    made = Path.mkdir
    taken: List[Path] = []

    def mkdir(path: Path, exist_ok: bool = False) -> None:
        if path.name == "7" and not taken:
            taken.append(path.parent)
            path.parent.rmdir()
        made(path, exist_ok=exist_ok)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    groups.make()
    assert taken == [tmp_path / "skiff-lab"]
    assert (tmp_path / "skiff-lab" / "7" / "lab1").is_dir()
