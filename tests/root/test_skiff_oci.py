"""skiff-oci as a command: runc's command line, its state on disk, its exit status."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Callable

import pytest

from skiff.linux import exefile
from tests.root.box import alive
from tests.root.oci import COMMAND, Oci


def test_create_start_kill_delete(oci: Oci, tmp_path: Path, until: Callable[[Callable[[], bool]], None]) -> None:
    bundle = oci.bundle("a", "sleep", "100")
    oci("create", "--bundle", str(bundle), "--pid-file", str(tmp_path / "pid"), "a")
    state = oci.state("a")
    assert (state["status"], state["bundle"], state["rootfs"]) == ("created", str(bundle), str(bundle / "rootfs"))
    assert int((tmp_path / "pid").read_text()) == state["pid"]
    oci("start", "a")
    assert oci.state("a")["status"] == "running"
    assert [row["id"] for row in json.loads(oci("list", "--format", "json").stdout)] == ["a"]
    refused = oci("delete", "a", check=False)
    assert (refused.returncode, refused.stderr) == (1, "skiff-oci: cannot delete container a that is not stopped: running\n")
    oci("kill", "a", "KILL")
    until(lambda: oci.state("a")["status"] == "stopped")
    oci("delete", "a")
    gone = oci("state", "a", check=False)
    assert (gone.returncode, gone.stderr) == (1, "skiff-oci: container does not exist: a\n")
    assert list(oci.root.iterdir()) == []


def test_run_passes_output_and_exit_status(oci: Oci) -> None:
    done = oci("run", "-b", str(oci.bundle("a", "sh", "-c", "echo said; exit 9")), "a", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (9, "said\n", "")
    assert list(oci.root.iterdir()) == []


def test_run_passes_signals_on(oci: Oci, until: Callable[[Callable[[], bool]], None]) -> None:
    bundle = oci.bundle("a", "sh", "-c", "trap 'exit 42' TERM; touch /ready; while true; do sleep 0.1; done")
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(oci("run", "-b", str(bundle), "a", check=False).returncode))
    thread.start()
    until((bundle / "rootfs" / "ready").exists)
    [runner] = [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_runner(path)]
    os.kill(runner, signal.SIGTERM)
    thread.join()
    assert results == [42]


def is_runner(path: Path) -> bool:
    try:
        return f"PPid:\t{os.getpid()}\n" in (path / "status").read_text() and b"skiff-oci" in (path / "cmdline").read_bytes()
    except OSError:
        return False


def test_a_container_that_was_never_started_can_be_deleted(oci: Oci) -> None:
    oci("create", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    pid = oci.state("a")["pid"]
    oci("delete", "a")
    assert not alive(pid)


def test_force_deletes_what_runs_and_what_is_not_there(oci: Oci) -> None:
    oci("run", "-d", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    oci("delete", "--force", "a")
    oci("delete", "--force", "a")


def test_an_identity_is_taken_once(oci: Oci) -> None:
    bundle = oci.bundle("a", "sleep", "100")
    oci("create", "-b", str(bundle), "a")
    second = oci("create", "-b", str(bundle), "a", check=False)
    assert (second.returncode, second.stderr) == (1, "skiff-oci: container with id exists: a: delete it first\n")
    assert oci.state("a")["status"] == "created"
    oci("delete", "--force", "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["start", "nosuch"], "container does not exist: nosuch"),
        (["checkpoint", "a"], "checkpoint is not supported by skiff-oci: it has no CRIU"),
        (["restore", "a"], "restore is not supported by skiff-oci: it has no CRIU"),
        (["create", "--nosuch", "a"], "unknown flag --nosuch; see skiff-oci --help"),
        (["create", "-b", "/nosuch", "a"], "/nosuch/config.json: no such file or directory"),
        (["kill", "a", "NOPE"], "unknown signal 'NOPE'"),
        (["state", "../a"], "invalid container id '../a': use letters, digits and _+-."),
        (["state"], "exactly one argument is wanted: the container id"),
    ],
)
def test_errors_say_what_is_wrong_and_are_logged(oci: Oci, tmp_path: Path, arguments: list[str], message: str) -> None:
    log = tmp_path / "log.json"
    done = oci("--log", str(log), "--log-format", "json", *arguments, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"skiff-oci: {message}\n")
    entry = json.loads(log.read_text())
    assert (entry["level"], entry["msg"]) == ("error", message)


def test_an_error_after_the_gate_reaches_start(oci: Oci) -> None:
    bundle = oci.bundle("a", "/bin/broken")
    (bundle / "rootfs" / "bin" / "broken").write_bytes(b"\x7fELF")
    (bundle / "rootfs" / "bin" / "broken").chmod(0o755)
    oci("create", "-b", str(bundle), "a")
    done = oci("start", "a", check=False)
    assert (done.returncode, done.stderr) == (1, "skiff-oci: exec /bin/broken: exec format error\n")
    oci("delete", "--force", "a")


def test_state_survives_a_killed_start(oci: Oci) -> None:
    """Whoever held the lock is gone, and the lock with it; a half-written file lies aside and is not read."""
    oci("create", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    (oci.root / "a" / "state.json.999999").write_text("{")
    assert oci.state("a")["status"] == "created"
    oci("start", "a")
    oci("delete", "--force", "a")


# A program of a few pages is left without another exec; a large one is executed from a copy.
@pytest.mark.parametrize("large", [False, True], ids=["left", "copied"])
def test_the_program_that_enters_a_container_is_no_file_of_the_hosts(oci: Oci, large: bool, tmp_path: Path) -> None:
    """CVE-2019-5736: not the link, nor anything that is mapped, and what the link leads to cannot be written."""
    oci.python = str(tmp_path / "python")
    shutil.copy(os.path.realpath(sys.executable), oci.python)
    if large:
        os.truncate(oci.python, os.stat(oci.python).st_size + (4 << 20))
    copied = os.stat(oci.python).st_size > exefile.MOST
    oci("create", "-b", str(oci.bundle("a", "sleep", "100")), "a")
    process = Path(f"/proc/{oci.state('a')['pid']}")
    assert os.readlink(process / "exe") == "/memfd:skiff (deleted)"
    assert ((process / "exe").stat().st_size > 0) == copied
    assert oci.python not in (process / "maps").read_text()
    with pytest.raises(OSError, match=r"Text file busy|Operation not permitted"):
        (process / "exe").open("r+b")
    oci("start", "a")
    oci("delete", "--force", "a")


def test_a_program_cannot_be_the_runtime_itself(oci: Oci) -> None:
    """`#!/proc/self/exe`: nothing runs."""
    bundle = oci.bundle("a", "/bin/attack")
    attack = bundle / "rootfs" / "bin" / "attack"
    attack.write_text("#!/proc/self/exe -c\n")
    attack.chmod(0o755)
    done = oci("run", "-b", str(bundle), "a", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "skiff-oci: exec /bin/attack: exec format error\n"


def test_an_error_is_logged_though_the_standard_error_cannot_be_written(oci: Oci, tmp_path: Path) -> None:
    """As containerd starts it for a pod: /dev/null, open for reading."""
    log = tmp_path / "log.json"
    oci.command = ["sh", "-c", f'exec {COMMAND} --log {log} --log-format json "$@" 2</dev/null', "sh"]
    assert oci("start", "nosuch", check=False).returncode == 1
    assert json.loads(log.read_text())["msg"] == "container does not exist: nosuch"
