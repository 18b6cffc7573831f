"""What the runtime opens of a container's files once it is inside, as strace tells: nothing, until the program runs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.root.box import Box, Refused
from tests.root.oci import COMMAND, Oci

ENTERED = re.compile(r"^(\d+) +(?:pivot_root|chroot)\(.*= 0$")
OPENED = re.compile(r'^(\d+) +open(?:at2?)?\((?:[^"]*)"([^"]*)", (.*)')
RUNS = re.compile(r"^(\d+) +(?:<\.\.\. )?execve(?:\(| resumed).*= 0$")
FORKED = re.compile(r"^(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)(?:\(| resumed).*= (?:\d+ /\* )?(\d+)(?: in strace's PID NS \*/)?$")


@pytest.fixture
def traced(oci: Oci, tmp_path: Path) -> Path:
    """From now on the command runs under strace, which writes to this file."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    calls = "trace=open,openat,openat2,chroot,pivot_root,execve,clone,clone3,fork,vfork"
    oci.command = ["strace", "-f", "--pidns-translation", "-s", "300", "-o", str(trace), "-e", calls, str(COMMAND)]
    return trace


def opened_inside(trace: Path) -> tuple[list[str], list[str]]:
    """What was opened in a container's root before the program ran there, and by the program."""
    inside: dict[str, list[str]] = {}
    found: tuple[list[str], list[str]] = [], []
    for line in trace.read_text().splitlines():
        if entered := ENTERED.match(line):
            inside[entered[1]] = found[0]
        elif (forked := FORKED.match(line)) and forked[1] in inside:
            inside[forked[2]] = inside[forked[1]]
        elif (runs := RUNS.match(line)) and runs[1] in inside:
            inside[runs[1]] = found[1]
        elif (opened := OPENED.match(line)) and opened[1] in inside:
            inside[opened[1]].append("root" if opened[2] == "/" and "O_PATH" in opened[3] else opened[2])
    return found


def plant(box: Box) -> None:
    """Everything that an interpreter, a loader or the name service of the host would look for by name."""
    attack = "import posix; posix.open('/pwned', posix.O_CREAT)"
    stdlib = sysconfig.get_path("stdlib")
    for directory in {*sys.path[1:], stdlib, f"{stdlib}/encodings", f"{stdlib}/site-packages", "/", "/encodings"}:
        target = box.rootfs / directory.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        for name in ("__init__", "encodings", "utf_8", "errno", "traceback", "sitecustomize"):
            (target / f"{name}.py").write_text(attack)
    for name in ("lib/libnss_files.so.2", "lib/x86_64-linux-gnu/libnss_files.so.2", "etc/ld.so.preload", "etc/nsswitch.conf"):
        (box.rootfs / name).parent.mkdir(parents=True, exist_ok=True)
        (box.rootfs / name).write_text("/lib/evil.so\n")


def test_start_opens_nothing_of_the_containers(box: Box, oci: Oci, traced: Path) -> None:
    plant(box)
    process = {"user": {"uid": 0, "gid": 0, "username": "ann:staff"}}
    assert oci.said("cat", "/etc/group", process=process).startswith("root:")
    before, after = opened_inside(traced)
    assert set(before) <= {"root"}
    assert "/etc/group" in after, "the detector must work"


def test_a_start_that_fails_opens_nothing_either(box: Box, oci: Oci, traced: Path) -> None:
    plant(box)
    (box.rootfs / "bin" / "odd").write_text("#!/nosuch\n")
    (box.rootfs / "bin" / "odd").chmod(0o755)
    for program in ("nosuch", "/etc/passwd", "odd"):
        oci.refused(program)
        assert set(opened_inside(traced)[0]) <= {"root"}


@pytest.mark.parametrize("program", ["cat", "nosuch"])
def test_exec_opens_nothing_of_the_containers(box: Box, oci: Oci, traced: Path, program: str) -> None:
    plant(box)
    under_strace, oci.command = oci.command, [str(COMMAND)]
    oci("run", "-d", "-b", str(oci.bundle("victim", "sleep", "100")), "victim")
    oci.command = under_strace
    assert oci("exec", "victim", program, "/etc/group", check=False).returncode == (0 if program == "cat" else 255)
    before, after = opened_inside(traced)
    oci.command = [str(COMMAND)]
    oci("delete", "--force", "victim")
    assert set(before) <= {"root"}
    assert ("/etc/group" in after) == (program == "cat"), "the detector must work"
    assert not (box.path / "victim" / "rootfs" / "pwned").exists()


@pytest.mark.parametrize("program", ["cat", "nosuch"])
def test_a_shims_exec_opens_nothing_of_the_containers(box: Box, traced: Path, program: str) -> None:
    plant(box)
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    calls = "trace=open,openat,openat2,chroot,pivot_root,execve,clone,clone3,fork,vfork"
    words = ["strace", "-f", "--pidns-translation", "-s", "300", "-o", str(traced), "-e", calls, "-p", str(container.shim_pid)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        if program == "cat":
            assert container.exec(program, "/etc/group")[0]["code"] == 0
        else:
            with pytest.raises(Refused, match="not found"):
                container.exec(program)
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20)
    before, after = opened_inside(traced)
    assert set(before) <= {"root"}
    assert ("/etc/group" in after) == (program == "cat"), "the detector must work"
    assert not (container.upper / "pwned").exists()


def test_a_copy_into_a_tmpfs_opens_only_what_it_copies(box: Box, oci: Oci, traced: Path) -> None:
    """Each by its own name in an open directory: no link is followed, no FIFO waited for, nothing looked up by a path."""
    plant(box)
    source = box.rootfs / "encodings"
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    mount = {"destination": "/encodings", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}
    listed = oci.said("ls", "/encodings", mounts=[mount]).split()
    assert listed == sorted(path.name for path in source.iterdir())
    files = {path.name for path in source.iterdir() if path.is_file() and not path.is_symlink()}
    before, _ = opened_inside(traced)
    assert set(before) <= {"root", *files}
    assert not {name for name in every_open(traced) if name.endswith(("/fifo", "/link")) or name in ("fifo", "link")}


def every_open(trace: Path) -> set[str]:
    return {opened[2] for opened in map(OPENED.match, trace.read_text().splitlines()) if opened}


def test_a_directory_too_deep_to_copy_is_refused(oci: Oci) -> None:
    bundle = oci.bundle("deep", "true")
    mount = {"destination": "/deep", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}
    oci.spec("deep", lambda spec: spec["mounts"].append(mount))
    at = os.open(bundle / "rootfs", os.O_RDONLY)
    for name in ["deep", *["d"] * 3000]:
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    done = oci("run", "-b", str(bundle), "deep", check=False)
    subprocess.run(["rm", "-rf", bundle / "rootfs"], check=True)
    assert done.returncode == 1
    assert "/deep" in done.stderr
    assert "Traceback" not in done.stderr


def test_hooks_in_the_container_open_nothing_of_it(box: Box, oci: Oci, traced: Path) -> None:
    """Neither before nor after it, nor in the process that becomes it."""
    plant(box)
    hooks = {"startContainer": [{"path": "/bin/touch", "args": ["touch", "/hooked"]}, {"path": "/bin/true", "timeout": 5}]}
    oci.run("true", hooks=hooks)
    before, after = opened_inside(traced)
    assert set(before) <= {"root"}
    assert "/hooked" in after, "the detector must work"
