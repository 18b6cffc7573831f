"""What a container's program finds around itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.root.box import Box, Refused, status_field

NAMESPACES = ("mnt", "net", "uts", "pid", "ipc", "cgroup")


def test_six_namespaces_differ_from_the_hosts(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    for name in NAMESPACES:
        assert os.readlink(f"/proc/{container.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name


def test_host_network_is_the_hosts(box: Box) -> None:
    spec = box.spec("readlink", "/proc/self/ns/net")
    spec["linux"]["namespaces"] = [row for row in spec["linux"]["namespaces"] if row["type"] != "network"]
    _, said = box.run_spec(spec)
    assert said.strip() == os.readlink("/proc/self/ns/net")


def test_a_namespace_is_joined_by_path(box: Box) -> None:
    other = box.create(box.spec("sleep", "100"), "other")
    spec = box.spec("readlink", "/proc/self/ns/net")
    for row in spec["linux"]["namespaces"]:
        if row["type"] == "network":
            row["path"] = f"/proc/{other.pid}/ns/net"
    _, said = box.run_spec(spec)
    assert said.strip() == os.readlink(f"/proc/{other.pid}/ns/net")


def test_its_own_hostname_and_loopback(box: Box) -> None:
    _, said = box.run("sh", "-c", "hostname; ip addr show lo")
    assert said.startswith("box\n")
    assert "inet 127.0.0.1/8" in said


def test_its_program_is_the_first_process_and_sees_no_other(box: Box) -> None:
    _, said = box.run("sh", "-c", "echo $$; ls /proc | grep -c '^[0-9]'")
    first, seen = said.split()
    assert first == "1"
    assert int(seen) <= 4  # the shell, ls and grep


def test_capabilities_are_dockers_default(box: Box) -> None:
    _, said = box.run("grep", "Cap", "/proc/self/status")
    sets = dict(line.split(":\t") for line in said.splitlines())
    default, none = "00000000a80425fb", "0" * 16
    assert sets == {"CapInh": none, "CapPrm": default, "CapEff": default, "CapBnd": default, "CapAmb": none}


def test_ambient_capabilities_reach_a_user(box: Box) -> None:
    wanted = ["CAP_NET_BIND_SERVICE"]
    sets = dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), wanted)
    _, said = box.run("grep", "CapEff", "/proc/self/status", capabilities=sets, user={"uid": 1000, "gid": 1000})
    assert said == "CapEff:\t0000000000000400\n"


@pytest.mark.parametrize(("asked", "seen"), [(False, "0"), (True, "1")])
def test_no_new_privileges_as_asked(box: Box, asked: bool, seen: str) -> None:
    container = box.create(
        {**box.spec("sleep", "100"), "process": {**box.spec("sleep", "100")["process"], "noNewPrivileges": asked}}
    )
    container.ask("start")
    assert status_field(container.pid, "NoNewPrivs") == seen


@pytest.mark.parametrize(
    ("user", "seen"),
    [
        ({"uid": 1234, "gid": 5, "additionalGids": [6, 7]}, "uid=1234 gid=5 groups=6,7"),
        ({"username": "ann"}, "uid=1000(ann) gid=1001(ann) groups=50(staff)"),
        ({"username": "ann:staff"}, "uid=1000(ann) gid=50(staff) groups=50(staff)"),
        ({"username": "1000"}, "uid=1000(ann) gid=1001(ann) groups=50(staff)"),
        ({"username": "4242:77"}, "uid=4242 gid=77 groups=77"),
        ({"username": ""}, "uid=0(root) gid=0(root) groups=0(root)"),
    ],
)
def test_the_user_is_looked_up_in_the_containers_own_files(box: Box, user: dict[str, object], seen: str) -> None:
    _, said = box.run("id", user=user)
    assert said.strip().replace("groups=0(root),", "groups=") in (seen, seen.rpartition(" groups=")[0])


def test_home_is_the_users(box: Box) -> None:
    _, said = box.run("env", user={"username": "ann"})
    assert "HOME=/home/ann\n" in said


def test_an_unknown_user_is_named(box: Box) -> None:
    with pytest.raises(Refused, match=r"^unable to find user bob: no matching entries in passwd file$"):
        box.run("id", user={"username": "bob"})
    with pytest.raises(Refused, match=r"^unable to find group pals: no matching entries in group file$"):
        box.run("id", user={"username": "ann:pals"})


@pytest.mark.parametrize(
    ("program", "message", "number"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH', 2),
        ("/nosuch", 'exec: "/nosuch": stat /nosuch: no such file or directory', 2),
        ("/etc/passwd", 'exec: "/etc/passwd": permission denied', 13),
        ("/etc", 'exec: "/etc": is a directory', 13),
    ],
)
def test_a_program_that_cannot_run_is_refused_in_runcs_words(box: Box, program: str, message: str, number: int) -> None:
    with pytest.raises(Refused) as caught:
        box.create(box.spec(program))
    assert caught.value.error["message"] == message
    assert caught.value.error["errno"] == number
    assert not list((box.exec_root / "oci").iterdir())


def test_a_program_that_the_kernel_refuses_fails_at_start(box: Box) -> None:
    broken = box.rootfs / "bin" / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    container = box.create(box.spec("/bin/broken"))
    with pytest.raises(Refused, match=r"^exec /bin/broken: exec format error$"):
        container.ask("start")
    assert container.ask("wait")["exit"]["code"] == 126


def test_working_directory_is_made_and_entered(box: Box) -> None:
    _, said = box.run("sh", "-c", "pwd; umask", cwd="/srv/app")
    assert said == "/srv/app\n0022\n"


def test_limits_of_the_process(box: Box) -> None:
    _, said = box.run("sh", "-c", "ulimit -n; ulimit -c", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 99}])
    assert said.split()[0] == "77"


def test_oom_score(box: Box) -> None:
    _, said = box.run("cat", "/proc/self/oom_score_adj", oomScoreAdj=321)
    assert said == "321\n"


def test_no_descriptor_leaks_in(box: Box) -> None:
    _, said = box.run("sh", "-c", "ls /proc/1/fd; readlink /proc/1/cwd")
    assert said.split() == ["0", "1", "2", "/"]


def test_signals_are_as_a_shell_would_have_them(box: Box) -> None:
    _, said = box.run("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    assert {line.split()[1] for line in said.splitlines()} == {"0" * 16}


def test_a_sysctl_is_the_containers_alone(box: Box) -> None:
    before = Path("/proc/sys/kernel/shmmni").read_text()
    spec = box.spec("cat", "/proc/sys/kernel/shmmni")
    spec["linux"]["sysctl"] = {"kernel.shmmni": "77"}
    _, said = box.run_spec(spec)
    assert said == "77\n"
    assert Path("/proc/sys/kernel/shmmni").read_text() == before
