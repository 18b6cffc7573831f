"""The process of a container of skiff-oci: terminal, limits, priorities, keys, descriptors, labels; and exec beside it."""

from __future__ import annotations

import array
import json
import os
import resource
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from skiff.linux import terminal
from tests.root.box import alive, status_field
from tests.root.oci import Oci


class Console:
    """A console socket, as containerd has one, and what is said on the terminal that comes through it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(1)
        self.announced = b""
        self.said = b""
        self.size = (0, 0)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        self.announced, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        [(_, _, data)] = ancillary
        [master] = array.array("i", data)
        connection.close()
        self.size = terminal.size(master)
        try:
            while True:
                self.said += os.read(master, 4096)
        except OSError:
            os.close(master)

    def close(self) -> str:
        self.thread.join(20)
        self.socket.close()
        return self.said.decode().replace("\r\n", "\n")


TERMINAL = (
    "tty; ls -l /dev/console | cut -c1; stat -c '%u %a' $(tty); echo > /dev/tty && echo controlled; "
    "test -t 0 && test -t 2 && echo all"
)


def test_a_terminal_through_a_console_socket(oci: Oci, tmp_path: Path) -> None:
    bundle = oci.bundle("a", "sh", "-c", TERMINAL)
    process = {"terminal": True, "consoleSize": {"height": 33, "width": 77}, "user": {"uid": 1000, "gid": 1000}}
    oci.spec("a", lambda spec: spec["process"].update(process))
    console = Console(tmp_path / "console")
    oci("create", "-b", str(bundle), "--console-socket", str(console.path), "a")
    oci("start", "a")
    assert console.close().split("\n") == ["/dev/pts/0", "c", "1000 620", "", "controlled", "all", ""]
    assert (console.announced, console.size) == (b"/dev/ptmx", (33, 77))
    oci("delete", "--force", "a")


def test_exec_has_a_terminal_too(oci: Oci, tmp_path: Path) -> None:
    oci("run", "-d", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    console = Console(tmp_path / "console")
    oci("exec", "--tty", "--detach", "--console-socket", str(console.path), "a", "sh", "-c", "tty; test -t 1 && echo yes")
    assert console.close() == "/dev/pts/0\nyes\n"
    oci.reap()
    oci("delete", "--force", "a")


@pytest.mark.parametrize("command", ["run", "exec"])
def test_the_callers_own_terminal(oci: Oci, tmp_path: Path, command: str) -> None:
    """As somebody types it: what is said comes through, as large as the caller's window, and the exit status with it."""
    bundle = oci.bundle("a", "sh", "-c", "tty; read line; echo got $line; exit 7" if command == "run" else "sleep 100")
    words = [*oci.command, "--root", str(oci.root), "run", "-b", str(bundle), "a"]
    if command == "run":
        oci.spec("a", lambda spec: spec["process"].update(terminal=True))
    else:
        oci("run", "-d", "-b", str(bundle), "a")
        words = [*oci.command, "--root", str(oci.root), "exec", "-t", "a", "sh", "-c", "tty; read line; echo got $line; exit 7"]
    # script(1) gives us the terminal of a person.
    typed = f"SKIFF_PYTHON={sys.executable} {shlex.join(words)}"
    done = subprocess.run(["script", "-qec", typed, "/dev/null"], input="hello\n", capture_output=True, text=True, timeout=30)
    assert done.returncode == 7, done.stdout
    assert [line for line in done.stdout.replace("\r", "").split("\n") if line not in ("hello", "")] == ["/dev/pts/0", "got hello"]
    oci("delete", "--force", "a")


@pytest.mark.parametrize(
    ("command", "flags", "terminal", "message"),
    [
        ("create", [], True, "cannot allocate tty if skiff-oci will detach without setting console socket"),
        ("create", ["--console-socket", "/x"], False, "cannot use console socket if skiff-oci will not detach or allocate tty"),
        ("run", ["--console-socket", "/x"], True, "cannot use console socket if skiff-oci will not detach or allocate tty"),
        ("run", ["-d"], True, "cannot allocate tty if skiff-oci will detach without setting console socket"),
        ("run", [], True, "process.terminal: the standard input is no terminal"),
        ("create", ["--console-socket", "/nosuch"], True, "--console-socket /nosuch: no such file or directory"),
    ],
)
def test_terminals_that_make_no_sense(oci: Oci, command: str, flags: list[str], terminal: bool, message: str) -> None:
    bundle = oci.bundle("a", "true")
    oci.spec("a", lambda spec: spec["process"].update(terminal=terminal))
    done = oci(command, "-b", str(bundle), *flags, "a", check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (oci.root / "a").exists()


def test_limits(oci: Oci) -> None:
    limits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    assert oci.said("sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c", process={"rlimits": limits}).split() == ["100", "200", "0"]


def test_a_limit_that_may_not_be_raised_is_named(oci: Oci) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _may_raise():
        pytest.skip("this root may raise its limits")
    limits = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_NOFILE", "soft": 5, "hard": before[1] + 1}]
    said = oci.refused("true", process={"rlimits": limits})
    assert f"error setting rlimits for RLIMIT_NOFILE: the hard limit {before[1] + 1} is above that of skiff-oci" in said
    wrong = oci.refused("true", process={"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 5}]})
    assert "error setting rlimits for RLIMIT_NOFILE: the soft limit 9 is above the hard limit 5" in wrong


def _may_raise() -> bool:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")]
    return bool(int(line.split()[1], 16) >> 24 & 1)


def test_scheduler_priority_and_oom_score(oci: Oci) -> None:
    process = {
        "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
        "oomScoreAdj": 321,
    }
    said = oci.said(
        "sh", "-c", "cut -d' ' -f19,41 /proc/self/stat; cat /proc/self/oom_score_adj; busybox ionice -p $$", process=process
    )
    assert said.splitlines() == ["5 3", "321", "idle"]


def test_personality(oci: Oci) -> None:
    assert oci.said("busybox", "uname", "-m", linux={"personality": {"domain": "LINUX32"}}) == "i686\n"


def test_umask_groups_and_user(oci: Oci) -> None:
    process = {"user": {"uid": 1000, "gid": 1001, "additionalGids": [7, 9], "umask": 0o077}}
    assert oci.said("sh", "-c", "umask; id -u; id -g; id -G", process=process).splitlines() == ["0077", "1000", "1001", "1001 7 9"]


def test_no_new_privileges(oci: Oci) -> None:
    assert oci.said("grep", "NoNewPrivs", "/proc/self/status", process={"noNewPrivileges": True}) == "NoNewPrivs:\t1\n"


@pytest.mark.parametrize("user", [0, 1000])
def test_what_waits_for_its_start_holds_no_more_than_it_will_have(oci: Oci, user: int) -> None:
    bundle = oci.bundle("a", "sleep", "100")
    oci.spec("a", lambda spec: spec["process"].update(user={"uid": user, "gid": user}))
    oci("create", "-b", str(bundle), "a")
    assert status_field(oci.state("a")["pid"], "CapPrm") == "00000000a80425fb"
    oci("delete", "--force", "a")


def test_unknown_capabilities_are_a_warning(oci: Oci) -> None:
    sets = {"bounding": ["CAP_KILL", "CAP_FLY"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
    done = oci.run("grep", "CapBnd", "/proc/self/status", process={"capabilities": sets})
    assert done.stdout == "CapBnd:\t0000000000000020\n"
    assert done.stderr == "skiff-oci: warning: ignoring unknown or unavailable capability CAP_FLY\n"


def test_capabilities_that_we_have_not_to_give_are_a_warning(oci: Oci) -> None:
    """In a user namespace of its own a container has them all the same."""
    sets = {name: ["CAP_KILL", "CAP_SYSLOG"] for name in ("bounding", "effective", "permitted")}
    oci.command = ["setpriv", "--bounding-set=-syslog", *oci.command]
    done = oci.run("grep", "CapBnd", "/proc/self/status", process={"capabilities": sets})
    assert done.stdout == "CapBnd:\t0000000000000020\n"
    assert done.stderr == "skiff-oci: warning: ignoring unknown or unavailable capability CAP_SYSLOG\n"


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ({"apparmorProfile": "docker-default"}, "apparmor: config provided but apparmor not supported"),
        ({"selinuxLabel": "system_u:system_r:container_t:s0"}, "selinux label is specified in config, but selinux is disabled"),
    ],
)
def test_labels_that_the_kernel_has_not(oci: Oci, process: dict[str, str], message: str) -> None:
    if os.path.exists("/sys/fs/selinux/enforce") or os.path.exists("/sys/module/apparmor/parameters/enabled"):
        pytest.skip("this kernel has a security module")
    assert message in oci.refused("true", process=process)


def test_it_has_a_session_keyring_of_its_own(oci: Oci) -> None:
    linux: dict[str, Any] = {"maskedPaths": []}
    assert "_ses.c0" in oci.said("cat", "/proc/keys", linux=linux)
    assert "_ses.c1" not in oci.said("cat", "/proc/keys", linux=linux, flags=["--no-new-keyring"])


@pytest.fixture
def passed(tmp_path: Path) -> Any:
    """Descriptors 3 and 4, as a caller leaves them for the container."""
    kept = {fd: os.dup(fd) for fd in (3, 4) if _open(fd)}
    for fd, text in ((3, "three"), (4, "four")):
        (tmp_path / text).write_text(f"{text}\n")
        source = os.open(tmp_path / text, os.O_RDONLY)
        if source != fd:
            os.dup2(source, fd, inheritable=True)
            os.close(source)
        os.set_inheritable(fd, True)
    yield (3, 4)
    for fd in (3, 4):
        os.close(fd)
    for fd, copy in kept.items():
        os.dup2(copy, fd, inheritable=False)
        os.close(copy)


def _open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_descriptors_are_passed_on_and_no_others(oci: Oci, passed: tuple[int, ...]) -> None:
    oci.pass_fds = passed
    done = oci.run("sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '", flags=["--preserve-fds", "2"])
    assert done.stdout.split() == ["three", "four", "0", "1", "2", "3", "4", "5"]
    assert oci.said("sh", "-c", "ls /proc/self/fd | tr '\\n' ' '").split() == ["0", "1", "2", "3"]
    assert "file descriptor 5 is not open" in oci.refused("true", flags=["--preserve-fds", "3"])


def test_systemds_sockets_are_passed_on(oci: Oci, passed: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    oci.pass_fds = passed
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert oci.said("sh", "-c", "cat <&3; echo $LISTEN_FDS $LISTEN_PID").split() == ["three", "1", "1"]


@pytest.fixture
def running(oci: Oci) -> Any:
    oci("run", "-d", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    yield oci
    oci("delete", "--force", "a")


def test_exec_runs_beside_the_first_process(running: Oci) -> None:
    pid = running.state("a")["pid"]
    names = ("mnt", "net", "uts", "pid", "ipc", "cgroup")
    done = running(
        "exec", "a", "sh", "-c", "".join(f"readlink /proc/self/ns/{name};" for name in names) + "cat /proc/self/cgroup; ls /"
    )
    lines = done.stdout.splitlines()
    assert lines[:6] == [os.readlink(f"/proc/{pid}/ns/{name}") for name in names]
    assert not [line for line in lines if "skiff-test" in line or ".." in line]
    assert lines[-7:] == ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]


def test_exec_takes_the_flags_of_runc(running: Oci, tmp_path: Path) -> None:
    script = "id -u; id -g; id -G; pwd; echo $A $B; grep -E 'NoNew|CapEff|CapBnd' /proc/self/status"
    flags = "--user 1000:1001 -g 5 --additional-gids 6 --cwd /tmp -e A=1 --env B=2 --no-new-privs --cap CAP_SYS_TIME"
    done = running("exec", *flags.split(), "--pid-file", str(tmp_path / "pid"), "a", "sh", "-c", script)
    assert done.stdout.splitlines() == [
        "1000", "1001", "1001 5 6", "/tmp", "1 2", "CapEff:\t0000000000000000", "CapBnd:\t00000000aa0425fb", "NoNewPrivs:\t1",
    ]  # fmt: skip
    assert int((tmp_path / "pid").read_text()) > 1


def test_exec_from_a_file(running: Oci, tmp_path: Path) -> None:
    process = {"args": ["sh", "-c", "pwd; echo $X; exit 5"], "env": ["PATH=/bin", "X=y"], "cwd": "/etc"}
    (tmp_path / "process.json").write_text(json.dumps(process))
    done = running("exec", "--process", str(tmp_path / "process.json"), "a", check=False)
    assert (done.returncode, done.stdout) == (5, "/etc\ny\n")
    (tmp_path / "process.json").write_text('{"args": []}')
    done = running("exec", "--process", str(tmp_path / "process.json"), "a", check=False)
    assert "process.args: must not be empty" in done.stderr


def test_exec_detached_goes_on_alone(running: Oci, tmp_path: Path, until: Callable[[Callable[[], bool]], None]) -> None:
    running("exec", "-d", "--pid-file", str(tmp_path / "pid"), "a", "sh", "-c", "sleep 0.3; touch /done")
    until((running.box.path / "a" / "rootfs" / "done").exists)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid))
    running.reap()


def test_exec_below_the_containers_cgroup(running: Oci) -> None:
    """For one controller; the others stay."""
    path = Path("/sys/fs/cgroup/pids") / running.box.prefix.strip("/") / "a"
    (path / "inner").mkdir()
    said = running("exec", "--cgroup", "pids:inner", "a", "grep", "-E", "pids|memory", "/proc/self/cgroup").stdout
    assert {line.split(":")[1]: line.split(":")[2] for line in said.splitlines()} == {"pids": "/inner", "memory": "/"}
    missing = running("exec", "--cgroup", "nosuch", "a", "true", check=False)
    assert "does not exist" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a", "nosuch"], 255, 'exec: "nosuch": executable file not found in $PATH'),
        (["a", "/etc"], 255, 'exec: "/etc": is a directory'),
        (["a"], 255, "process args cannot be empty"),
        (["b", "true"], 255, "container does not exist: b"),
        (["--user", "ann", "a", "true"], 255, "--user ann: uid or uid:gid, as numbers"),
        (["a", "sh", "-c", "exit 9"], 9, ""),
        (["a", "sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_exec_ends_as_runcs_does(running: Oci, arguments: list[str], code: int, message: str) -> None:
    done = running("exec", *arguments, check=False)
    assert done.returncode == code
    assert message in done.stderr


def test_exec_in_a_stopped_container(oci: Oci, until: Callable[[Callable[[], bool]], None]) -> None:
    oci("run", "-d", "-b", str(oci.bundle("a", "true")), "a")
    until(lambda: oci.state("a")["status"] == "stopped")
    done = oci("exec", "a", "true", check=False)
    assert (done.returncode, done.stderr) == (255, "skiff-oci: cannot exec in a container that is stopped\n")
    oci("delete", "a")


def test_exec_on_chosen_processors(running: Oci, tmp_path: Path) -> None:
    process = {
        "args": ["grep", "Cpus_allowed_list", "/proc/self/status"],
        "cwd": "/",
        "env": ["PATH=/bin"],
        "execCPUAffinity": {"final": "0"},
    }
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    assert running("exec", "-p", str(path), "a").stdout.split() == ["Cpus_allowed_list:", "0"]
    # The first ones are those of the way in: without others the program has the container's.
    path.write_text(json.dumps({**process, "execCPUAffinity": {"initial": "0"}}))
    whole = running("exec", "a", "grep", "Cpus_allowed_list", "/proc/self/status").stdout
    assert running("exec", "-p", str(path), "a").stdout == whole


def test_keep_leaves_the_container_to_be_deleted(oci: Oci) -> None:
    oci("run", "--keep", "-b", str(oci.bundle("a", "true")), "a")
    assert oci.state("a")["status"] == "stopped"
    oci("delete", "a")


def test_an_example_to_begin_with_runs(oci: Oci) -> None:
    bundle = oci.bundle("a", "true")
    (bundle / "config.json").unlink()
    oci("spec", "-b", str(bundle))
    taken = oci("spec", "-b", str(bundle), check=False)
    assert (taken.returncode, taken.stderr) == (1, f"skiff-oci: {bundle}/config.json exists: remove it first\n")
    oci.spec("a", lambda spec: spec["process"].update(terminal=False, args=["sh", "-c", "hostname; touch /x || echo read-only"]))
    assert oci("run", "-b", str(bundle), "a").stdout == "skiff\nread-only\n"


def test_features_name_what_runc_names(oci: Oci) -> None:
    ours = json.loads(oci("features").stdout)
    theirs = json.loads(subprocess.run(["runc", "features"], capture_output=True, check=True).stdout)
    assert set(theirs["mountOptions"]) <= set(ours["mountOptions"])
    assert ours["hooks"] == theirs["hooks"]
    assert set(theirs["linux"]["namespaces"]) <= set(ours["linux"]["namespaces"])
    for name in ("actions", "operators", "archs"):
        assert set(theirs["linux"]["seccomp"][name]) <= set(ours["linux"]["seccomp"][name])
    assert set(theirs["linux"]["capabilities"]) <= set(ours["linux"]["capabilities"])
