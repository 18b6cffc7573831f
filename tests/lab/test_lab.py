from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import FleetError, UsageError
from fleet.lab import HostSpec, Lab, cache, cgroups, interpreters, look, machine, mounts, recipe
from fleet.lab import lab as labs
from tests.lab.conftest import FreshHost, FullDisk

ROOT = Path(__file__).resolve().parents[2]


# Of how many moments in the life of `up` and `down` each test tries; all of them take minutes.
KILLS = 4


def ssh(lab: Lab, host: str, script: str, user: str = "root", stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*lab.ssh_argv(host, user), script], input=stdin, capture_output=True, text=True)


def shell(lab: Lab, host: str, script: str) -> subprocess.CompletedProcess[str]:
    return lab.exec(host, ["sh", "-c", script])


def output(lab: Lab, host: str, script: str, user: str = "") -> str:
    """What the script says: over SSH as the user, or past it as root, which is ten times faster."""
    done = ssh(lab, host, script, user) if user else shell(lab, host, script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["el8", "el9", "el10"])
def test_a_host_looks_like_its_release(lab: Lab, fresh_host: FreshHost, name: str) -> None:
    release = recipe.RELEASES[name]
    host = fresh_host(name).name
    assert output(lab, host, "systemctl is-system-running; systemctl --failed --no-legend") == "running"
    assert output(lab, host, '. /etc/os-release; echo "$ID $VERSION_ID $ID_LIKE"') == f"centos {release.version} rhel fedora"
    assert output(lab, host, "cat /etc/redhat-release") == release.title
    assert output(lab, host, "systemctl is-active sshd firewalld; systemctl is-enabled firewalld").split() == [
        "active",
        "active",
        "enabled",
    ]
    assert output(lab, host, "firewall-cmd --state") == "running"
    assert "SELINUX=enforcing" in output(lab, host, "cat /etc/sysconfig/selinux; readlink /etc/sysconfig/selinux")
    assert output(lab, host, "getenforce") == "Disabled"
    assert shell(lab, host, "command -v apt-get dpkg").returncode
    if interpreters.find(release.python):
        assert output(lab, host, "python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'") == release.python
    assert output(lab, host, "python3 -I -c 'import json, ssl, ctypes; print(1)'", "weak") == "1"


def test_packages_come_from_the_local_repository_and_go_again(lab: Lab, fresh_host: FreshHost) -> None:
    host = fresh_host("el8").name
    output(lab, host, "yum -q -y install yum-utils lvm2 python3.11")
    assert output(lab, host, "rpm -q --qf '%{NAME} ' --whatprovides dnf-utils device-mapper-persistent-data") == (
        "yum-utils device-mapper-persistent-data"
    )
    assert output(lab, host, "python3.11 -c 'import sys; print(sys.version_info >= (3, 9))'") == "True"
    payload = output(lab, host, "rpm -ql yum-utils")
    assert output(lab, host, f"cat {payload}") == "yum-utils 4.0"
    output(lab, host, "dnf -q -y remove yum-utils")
    assert shell(lab, host, f"rpm -q yum-utils && cat {payload}").returncode
    missing = shell(lab, host, "dnf -q -y install no-such-package")
    assert missing.returncode == 1
    assert "no-such-package" in missing.stderr


def test_a_host_without_python_has_dnf_still_and_gets_python_by_it(lab: Lab, fresh_host: FreshHost) -> None:
    host = fresh_host("el9", python="none")
    assert host.python == "none"
    assert shell(lab, host.name, "command -v python3 python /usr/libexec/platform-python").returncode
    output(lab, host.name, "dnf -q -y install python3")
    assert output(lab, host.name, "python3 -c 'print(1)'") == "1"


def test_what_a_container_engine_needs_works_inside(lab: Lab) -> None:
    script = """
    set -e
    for controller in memory cpu pids; do
        group=/sys/fs/cgroup/$controller
        [ -d $group ] || group=/sys/fs/cgroup
        mkdir $group/probe && rmdir $group/probe
    done
    mkdir -p /var/lib/probe/lower /var/lib/probe/upper /var/lib/probe/work /var/lib/probe/merged
    echo image > /var/lib/probe/lower/file
    cd /var/lib/probe
    unshare -mpuin --fork sh -ec '
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
        echo container > merged/file
        mknod merged/null c 1 3
        hostname inside
        echo $$'
    cat lower/file upper/file
    rm -rf /var/lib/probe
    sysctl -qw net.ipv4.ip_forward=1
    ip link add name probe type bridge && nft add table ip probe && nft delete table ip probe && ip link del probe
    hostname
    """
    assert output(lab, "lab1", script, "root").split() == ["1", "image", "container", "lab1"]


@pytest.mark.parametrize(("user", "shell"), [("admin", "bash"), ("cshuser", "tcsh"), ("fishuser", "fish")])
def test_these_users_have_sudo_without_password(lab: Lab, user: str, shell: str) -> None:
    assert output(lab, "lab1", "sudo -n id -u", user) == "0"
    assert output(lab, "lab1", f"getent passwd {user}").endswith(f"/{shell}")


def test_op_needs_a_password_for_sudo_and_weak_has_none(lab: Lab) -> None:
    assert ssh(lab, "lab1", "sudo -n id -u", "op").returncode == 1
    assert ssh(lab, "lab1", "sudo -S -p '' id -u", "op", stdin="op-password\n").stdout == "0\n"
    assert ssh(lab, "lab1", "sudo -n id -u", "weak").returncode == 1
    assert "User weak is not allowed to run sudo" in output(lab, "lab1", "sudo -l -U weak")


def test_a_host_with_another_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "known_hosts"
    key = lab.known_hosts.read_text().split()[2]
    changed = key[:-6] + ("AAAAAA" if key[-6:] != "AAAAAA" else "BBBBBB")
    other.write_text(lab.known_hosts.read_text().replace(key, changed))
    argv = [word.replace(str(lab.known_hosts), str(other)) for word in lab.ssh_argv("lab1")]
    done = subprocess.run([*argv, "true"], capture_output=True, text=True)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_hosts_reach_each_other_and_a_pulled_cable_cuts_one_off(lab: Lab) -> None:
    second = lab.status()[1].address
    assert shell(lab, "lab1", f"ping -c 1 -W 2 {second}").returncode == 0
    lab.set_link("lab2", "down")
    try:
        assert [each.state for each in lab.status() if each.name == "lab2"] == ["starting"]
    finally:
        lab.set_link("lab2", "up")
    assert shell(lab, "lab1", f"ping -c 1 -W 2 {second}").returncode == 0


def test_restart_keeps_the_files_and_nothing_else(lab: Lab, fresh_host: FreshHost) -> None:
    host = fresh_host().name
    output(
        lab, host, "echo kept > /etc/kept; echo kept > /var/lib/kept; echo lost > /run/lost; systemctl -q disable --now firewalld"
    )
    lab.restart(host)
    assert output(lab, host, "cat /etc/kept /var/lib/kept; ls /run/lost 2>/dev/null || echo gone").split() == [
        "kept",
        "kept",
        "gone",
    ]
    assert shell(lab, host, "systemctl is-active firewalld").stdout == "inactive\n"


def test_a_full_disk_is_full(lab: Lab, full_disk: FullDisk) -> None:
    full_disk("lab1", "/opt/full")
    done = shell(lab, "lab1", "cp /etc/passwd /opt/full/more")
    assert done.returncode
    assert "No space left" in done.stderr


def test_hosts_that_the_suite_refuses(lab: Lab, fresh_host: FreshHost) -> None:
    assert output(lab, fresh_host(personality="x86").name, "uname -m", "root") == "i686"
    debian = fresh_host("debian").name
    assert output(lab, debian, ". /etc/os-release; echo $ID; command -v apt-get") == "debian\n/usr/bin/apt-get"
    assert shell(lab, debian, "command -v dnf yum rpm").returncode


def test_up_again_changes_nothing(lab: Lab) -> None:
    before = lab.exec("lab1", ["cat", "/proc/1/stat"]).stdout.split()[21]
    lines: list[str] = []
    assert [each.state for each in lab.up(2, report=lines.append)] == ["running", "running"]
    assert lines == []
    assert lab.exec("lab1", ["cat", "/proc/1/stat"]).stdout.split()[21] == before


def test_wrong_wishes_are_told(lab: Lab) -> None:
    with pytest.raises(FleetError, match="lab1 is CentOS Stream 9 already"):
        lab.up(1, el=8)
    with pytest.raises(UsageError, match="no release 6"):
        lab.up(1, el=6)
    with pytest.raises(UsageError, match="no host lab9"):
        lab.exec("lab9", ["true"])


def test_looks_and_repositories_are_built_from_nothing(lab_machine: None, tmp_path: Path) -> None:
    tree = look.layer(tmp_path, recipe.RELEASES["el8"])
    assert (tree / "usr/libexec/platform-python").is_symlink()
    bare = look.layer(tmp_path, recipe.RELEASES["el8"], "none")
    assert not (bare / "usr/libexec/platform-python").is_symlink()
    assert sorted(path.name.rpartition("-")[0] for path in tmp_path.glob("[!.]*")) == ["look-el8", "look-el8", "rpms-el8"]
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == [tmp_path / ".lock"]


def test_a_tree_is_removed_without_what_is_mounted_in_it(lab_machine: None, tmp_path: Path) -> None:
    precious, tree = tmp_path / "precious", tmp_path / "tree"
    for directory in (precious, tree / "dev", tree / "run"):
        directory.mkdir(parents=True)
    (precious / "file").write_text("kept")
    subprocess.run(["mount", "--bind", str(precious), str(tree / "dev")], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tree / "run")], check=True)
    cache.remove_tree(tree)
    assert not tree.exists()
    assert (precious / "file").read_text() == "kept"
    assert not [mount for mount in mounts.current() if mount.target.startswith(str(tmp_path))]


# What is left after a lab


@pytest.fixture
def own_lab(lab_machine: None) -> Iterator[Lab]:
    own = Lab(f"test-{os.getpid()}-own")
    yield own
    own.down()


def traces(lab: Lab, number: int) -> dict[str, list[str]]:
    """What of a lab exists on the machine, by kind. Other labs come and go meanwhile, so only its own names count."""
    name = f"{cgroups.TOP}-{number}"
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout.split()
    processes = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if name.encode() in _read(path)]
    return {
        "namespaces": [path.name for path in Path("/run/netns").glob(f"{name}*")],
        "links": [word for word in links if word.partition("@")[0] == f"sk{number}"],
        "mounts": [mount.target for mount in mounts.current() if mount.target.startswith(f"{lab.directory}/")],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{cgroups.TOP}/{number}")],
        "processes": processes,
        "files": [str(path) for path in (lab.directory, machine.RUN / str(number)) if path.exists()],
        "nspawn": [str(path) for path in Path("/run/systemd/nspawn").glob(f"*/{name}-*")],
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_down_leaves_nothing_behind(own_lab: Lab) -> None:
    own_lab.up(2)
    number = machine.number(own_lab.directory)
    assert number
    locks = Path("/run/systemd/nspawn/locks")
    merged = [(own_lab.directory / "hosts" / name / "merged").stat() for name in ("lab1", "lab2")]
    own_locks = [locks / f"inode-{at.st_dev}:{at.st_ino}" for at in merged]
    while_up = traces(own_lab, number)
    assert [kind for kind, found in while_up.items() if not found] == []
    assert all(path.exists() for path in own_locks)
    own_lab.down()
    assert {kind: found for kind, found in traces(own_lab, number).items() if found} == {}
    assert not any(path.exists() for path in own_locks)
    own_lab.down()


# Dies by SIGKILL at its n-th step; without n counts the steps. A step is a program started or a file made, moved or removed.
VICTIM = """
import os, signal, sys
from fleet.lab import Lab
lab = Lab(sys.argv[1])
last, done = int(sys.argv[3]), 0
def hook(event, _args):
    global done
    if event in {"subprocess.Popen", "os.rename", "os.mkdir", "os.remove"}:
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
getattr(lab, sys.argv[2])()
print(done)
"""


def victim(lab: Lab, verb: str, last: int = 0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", VICTIM, lab.name, verb, str(last)]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_killed_anywhere_the_next_up_and_down_put_it_right(own_lab: Lab) -> None:
    steps = int(victim(own_lab, "up").stdout)
    own_lab.down()
    for last in range(1, steps + 1, max(1, steps // KILLS)):
        assert victim(own_lab, "up", last).returncode == -9
        assert [each.state for each in own_lab.up()] == ["running"], f"killed at step {last} of {steps}"
        assert ssh(own_lab, "lab1", "rpm -q bash && python3 -c pass").returncode == 0
        number = machine.number(own_lab.directory)
        assert number
        own_lab.down()
        assert {kind: found for kind, found in traces(own_lab, number).items() if found} == {}


def test_a_down_that_is_killed_is_finished_by_the_next(own_lab: Lab) -> None:
    own_lab.up()
    steps = int(victim(own_lab, "down").stdout)
    for last in range(1, steps + 1, max(1, steps // KILLS)):
        own_lab.up()
        number = machine.number(own_lab.directory)
        assert number
        assert victim(own_lab, "down", last).returncode == -9
        own_lab.down()
        assert {kind: found for kind, found in traces(own_lab, number).items() if found} == {}


def test_a_killed_up_that_nobody_repeats_is_taken_down(own_lab: Lab) -> None:
    steps = int(victim(own_lab, "up").stdout)
    own_lab.down()
    for last in range(2, steps + 1, max(1, steps // KILLS)):
        assert victim(own_lab, "up", last).returncode == -9
        number = machine.number(own_lab.directory)
        own_lab.down()
        if number is not None:
            assert {kind: found for kind, found in traces(own_lab, number).items() if found} == {}
    assert not (labs.STATE / "labs" / own_lab.name).exists()


def test_two_labs_have_subnets_of_their_own(lab: Lab, own_lab: Lab) -> None:
    own_lab.boot([HostSpec("lab1", 1, "el10")])
    mine, theirs = own_lab.status()[0].address, lab.status()[0].address
    assert mine.rpartition(".")[0] != theirs.rpartition(".")[0]
    assert output(own_lab, "lab1", "hostname") == output(lab, "lab1", "hostname") == "lab1"
