"""Containers that go for the processes that enter them: their executable, descriptors, working directory and memory."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from tests.root.box import Box
from tests.root.oci import COMMAND, Oci

Until = Callable[[Callable[[], bool]], None]
# Run by the runtime's own interpreter inside: keeps its executable open, gives it up, writes to it when nothing runs it any more.
OVERWRITE = """\
import posix
held = posix.open("/proc/self/exe", posix.O_RDONLY)
posix.set_inheritable(held, True)
once = "(echo evil > /proc/self/fd/%d) 2> /tried && echo won > /won" % held
script = "for i in 1 2 3 4 5 6 7 8 9 10; do %s; sleep 0.1; done; echo over > /over" % once
posix.execve("/bin/sh", ["sh", "-c", script], {"PATH": "/bin"})
"""


@pytest.fixture(params=[sys.executable, "/usr/bin/python3"], ids=["ours", "the system's"])
def interpreter(box: Box, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy that may be destroyed; the image has all that it takes to run it, and the attack where it looks first.

    Of two builds, as the runtime gets out of reach in another way from one that is a large program (docs/adr/0006).
    """
    real = Path(os.path.realpath(request.param))
    if not real.exists():
        pytest.skip(f"{real} is not installed")
    copy = tmp_path / "own" / "bin" / "python3"
    copy.parent.mkdir(parents=True)
    shutil.copy(real, copy)
    (tmp_path / "own" / "pyvenv.cfg").write_text(f"home = {real.parent}\n")
    libraries = subprocess.run(["ldd", real], capture_output=True, text=True, check=True).stdout.split()
    for library in (word for word in libraries if word.startswith("/")):
        target = box.rootfs / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    look = [str(real), "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    stdlib = subprocess.run(look, capture_output=True, text=True, check=True).stdout.strip()
    encodings = box.rootfs / stdlib.lstrip("/") / "encodings"
    encodings.mkdir(parents=True)
    (encodings / "__init__.py").write_text(OVERWRITE)
    attack = box.rootfs / "bin" / "attack"
    attack.write_text("#!/proc/self/exe\n")
    attack.chmod(0o755)
    return copy


def made(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the attack could be made: not if there is nothing to run behind the link."""
    if done.returncode == 0:
        return True
    assert "exec format error" in done.stderr
    return False


def test_the_executable_of_a_start_cannot_be_written(oci: Oci, box: Box, interpreter: Path, until: Until) -> None:
    """CVE-2019-5736: the container's program is the file that the runtime runs from."""
    before = interpreter.read_bytes()
    oci.command = ["env", f"SKIFF_PYTHON={interpreter}", str(COMMAND)]
    done = oci("run", "-d", "-b", str(oci.bundle("victim", "/bin/attack")), "victim", check=False)
    if made(done):
        until((box.path / "victim" / "rootfs" / "over").exists)
    oci.command = [str(COMMAND)]
    oci("delete", "--force", "victim")
    assert interpreter.read_bytes() == before
    assert not (box.path / "victim" / "rootfs" / "won").exists()


def test_the_executable_of_an_exec_cannot_be_written(oci: Oci, box: Box, interpreter: Path, until: Until) -> None:
    before = interpreter.read_bytes()
    oci.command = ["env", f"SKIFF_PYTHON={interpreter}", str(COMMAND)]
    oci("run", "-d", "-b", str(oci.bundle("victim", "sleep", "100")), "victim")
    if made(oci("exec", "-d", "--pid-file", str(box.path / "pid"), "victim", "/bin/attack", check=False)):
        until((box.path / "victim" / "rootfs" / "over").exists)
        os.waitpid(int((box.path / "pid").read_text()), 0)
    oci.command = [str(COMMAND)]
    oci("delete", "--force", "victim")
    assert interpreter.read_bytes() == before
    assert not (box.path / "victim" / "rootfs" / "won").exists()


@pytest.mark.usefixtures("interpreter")
@pytest.mark.parametrize("interpreter", [sys.executable], indirect=True, ids=["the launcher's"])
def test_the_executable_of_a_shims_exec_cannot_be_written(box: Box, until: Until) -> None:
    """The shim that forks it runs from a sealed copy of the interpreter, and so that is what the attack runs."""
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    container.exec("/bin/attack")
    until((container.upper / "over").exists)
    assert (container.upper / "tried").exists()
    assert not (container.upper / "won").exists()


LOOK = "for fd in /proc/self/fd/*; do readlink $fd; done; ls ../../../../../.."


def test_descriptors_are_no_way_out(oci: Oci, box: Box) -> None:
    """CVE-2024-21626, by configuration and by exec, directly and through a symlink; the caller leaves one of its own open too."""
    (box.rootfs / "way").symlink_to("/proc/self/fd/7")
    host = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(host, True)
    oci("run", "-d", "-b", str(oci.bundle("victim", "sleep", "100")), "victim")
    try:
        oci.command = ["sh", "-c", f'exec 9</ 8</etc; exec {COMMAND} "$@"', "sh"]
        for cwd in ("/way", *(f"/proc/self/fd/{number}" for number in range(3, 13))):
            done = oci("exec", "--cwd", cwd, "victim", "sh", "-c", LOOK, check=False)
            assert done.returncode == 255 or "home" not in done.stdout.split(), (cwd, done.stdout)
        for cwd in ("/way", "/proc/self/fd/3", "/proc/self/fd/8", "/proc/self/fd/9"):
            done = oci.run("sh", "-c", LOOK, process={"cwd": cwd}, check=False)
            assert done.returncode == 1 or "home" not in done.stdout.split(), (cwd, done.stdout)
        for said in (
            oci("exec", "victim", "sh", "-c", "echo /proc/self/fd/*").stdout,
            oci.said("sh", "-c", "echo /proc/self/fd/*"),
        ):
            assert {Path(path).name for path in said.split()} <= {"0", "1", "2", "3"}, "3 is the shell's own listing"
    finally:
        oci.command = [str(COMMAND)]
        oci("delete", "--force", "victim")
        os.close(host)


def test_a_waiting_init_shows_nothing_to_another_container(oci: Oci) -> None:
    """One that shares its pid namespace and is root there, as in a pod: no descriptor, no memory, no environment, no root."""
    oci("create", "-b", str(oci.bundle("victim", "true")), "victim")
    namespaces = [
        {"type": "pid", "path": f"/proc/{oci.state('victim')['pid']}/ns/pid"},
        *({"type": kind} for kind in ("mount", "ipc", "uts", "network", "cgroup")),
    ]
    links = "for name in exe cwd root fd/0 fd/1 fd/5 fd/7; do readlink /proc/1/$name; done"
    script = f"{links}; cat /proc/1/environ /proc/1/maps /proc/1/mem"
    done = oci.run("sh", "-c", f"readlink /proc/$$/exe; {script}", linux={"namespaces": namespaces}, check=False)
    oci("delete", "--force", "victim")
    assert done.stdout == "/bin/busybox\n", "only its own, which shows that it could"
    assert "ermission denied" in done.stderr


def test_a_container_cannot_have_the_kernel_run_something_on_the_host(oci: Oci) -> None:
    """Cgroup's release_agent, core_pattern, the helpers of modules and hotplug, sysrq."""
    files = "/sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe"
    files += " /sys/kernel/uevent_helper /proc/sysrq-trigger"
    tries = "for file in $FILES; do [ -e $file ] && echo /evil > $file && echo won $file; done"
    mounts = "mkdir /m; for kind in pids rdma memory; do busybox mount -t cgroup -o $kind none /m && echo mounted; done; echo end"
    cgroup = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]}
    done = oci.run("sh", "-c", f"FILES='{files}'; {tries}; {mounts}", mounts=[cgroup], check=False)
    assert done.stdout == "end\n"


def test_signals_and_traces_do_not_reach_out(oci: Oci) -> None:
    """No process of the host has a number in there, and none can be asked for by a number of the host's."""
    seen = oci.said("sh", "-c", f"kill -0 {os.getpid()} 2>&1; echo /proc/[0-9]*; echo $$")
    assert seen.split()[-1] == "1"
    assert f"/proc/{os.getpid()}" not in seen.split()


ATTACH = """\
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>
int main(int count, char **words) {
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
    pid_t child = fork();
    if (child == 0) { pause(); _exit(0); }
    printf("child %d\\n", ptrace(PTRACE_ATTACH, child, 0, 0) ? errno : 0);
    pid_t target = atoi(words[1]);
    printf("attach %d\\n", ptrace(PTRACE_ATTACH, target, 0, 0) ? errno : 0);
    printf("read %d\\n", process_vm_readv(target, &here, 1, &there, 1, 0) < 0 ? errno : 0);
    return 0;
}
"""


def test_a_waiting_init_is_not_traced_by_another_container(oci: Oci, box: Box, tmp_path: Path) -> None:
    """One in its pid namespace that may trace its own children; the seccomp profile lets it ask."""
    (tmp_path / "attach.c").write_text(ATTACH)
    subprocess.run(["gcc", "-static", "-o", box.rootfs / "bin" / "attach", tmp_path / "attach.c"], check=True)
    oci("create", "-b", str(oci.bundle("victim", "true")), "victim")
    namespaces = [
        {"type": "pid", "path": f"/proc/{oci.state('victim')['pid']}/ns/pid"},
        *({"type": kind} for kind in ("mount", "ipc", "uts", "network", "cgroup")),
    ]
    done = oci.run("attach", "1", linux={"namespaces": namespaces, "seccomp": None})
    oci("delete", "--force", "victim")
    assert done.stdout.splitlines() == ["child 0", f"attach {errno.EPERM}", f"read {errno.EPERM}"]
