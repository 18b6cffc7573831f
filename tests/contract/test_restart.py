"""Containers outlive the daemon: killed or stopped, it finds them again, with their output and their exit status whole."""

from __future__ import annotations

import os
import signal

import pytest

from tests.contract.daemons import Daemon, wait_until
from tests.contract.traces import traces

TICKING = "i=0; while [ $i -lt 30 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 3"


def run_detached(daemon: Daemon, name: str, script: str, *options: str) -> str:
    done = daemon.skiff("run", "-d", "--network", "none", "--name", name, *options, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_container_runs_on_and_nothing_of_it_is_lost(loaded: Daemon, number: signal.Signals) -> None:
    name = f"on-{int(number)}"
    run_detached(loaded, name, TICKING)
    pid = loaded.client.call("GET", f"/containers/{name}/json")["State"]["Pid"]
    loaded.kill(number)
    os.kill(pid, 0)
    loaded.start()
    state = loaded.client.call("GET", f"/containers/{name}/json")["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    assert loaded.client.call("POST", f"/containers/{name}/wait")["StatusCode"] == 3
    assert loaded.skiff("logs", name).stdout == "".join(f"{i}\n" for i in range(30))
    loaded.client.call("DELETE", f"/containers/{name}")


def test_an_end_that_the_daemon_was_not_there_for_is_recorded(loaded: Daemon) -> None:
    run_detached(loaded, "missed", "sleep 0.5; echo last; exit 4")
    pid = loaded.client.call("GET", "/containers/missed/json")["State"]["Pid"]
    loaded.kill(signal.SIGKILL)
    wait_until_gone(pid)
    loaded.start()
    assert loaded.client.call("POST", "/containers/missed/wait")["StatusCode"] == 4
    state = loaded.client.call("GET", "/containers/missed/json")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 4)
    assert loaded.skiff("logs", "missed").stdout == "last\n"
    loaded.client.call("DELETE", "/containers/missed")


def test_one_that_removes_itself_is_removed_also_when_it_ended_unseen(loaded: Daemon) -> None:
    run_detached(loaded, "passing", "sleep 0.3", "--rm")
    pid = loaded.client.call("GET", "/containers/passing/json")["State"]["Pid"]
    loaded.kill(signal.SIGKILL)
    wait_until_gone(pid)
    loaded.start()
    wait_until(lambda: loaded.client.call("GET", "/containers/json?all=1") == [])


def test_a_dead_shim_s_container_is_recorded_as_killed(loaded: Daemon) -> None:
    identity = run_detached(loaded, "orphan", "sleep 1000")
    pid = loaded.client.call("GET", "/containers/orphan/json")["State"]["Pid"]
    shim = int(parent_of(pid))
    os.kill(shim, signal.SIGKILL)
    assert loaded.client.call("POST", f"/containers/{identity}/wait")["StatusCode"] == 137
    wait_until_gone(pid)
    loaded.client.call("DELETE", f"/containers/{identity}")


def test_of_a_dead_shim_nothing_stays_and_no_exit_of_another_run_is_told(loaded: Daemon) -> None:
    identity = run_detached(loaded, "twice", "test -e /second && sleep 1000; touch /second; exit 3")
    assert loaded.client.call("POST", f"/containers/{identity}/wait")["StatusCode"] == 3
    loaded.client.call("POST", f"/containers/{identity}/start")
    pid = loaded.client.call("GET", f"/containers/{identity}/json")["State"]["Pid"]
    os.kill(int(parent_of(pid)), signal.SIGKILL)
    assert loaded.client.call("POST", f"/containers/{identity}/wait")["StatusCode"] == 137
    wait_until(lambda: identity not in str(traces(loaded)["cgroups"]))
    loaded.client.call("DELETE", f"/containers/{identity}")
    wait_until(lambda: identity not in str(traces(loaded)))


def test_a_container_whose_shim_died_unseen_is_cleared_away(loaded: Daemon) -> None:
    identity = run_detached(loaded, "unseen", "sleep 1000")
    pid = loaded.client.call("GET", f"/containers/{identity}/json")["State"]["Pid"]
    loaded.kill(signal.SIGKILL)
    os.kill(int(parent_of(pid)), signal.SIGKILL)
    loaded.start()
    wait_until_gone(pid)
    assert loaded.client.call("GET", f"/containers/{identity}/json")["State"]["ExitCode"] == 137
    wait_until(lambda: identity not in str(traces(loaded)["cgroups"]))
    loaded.client.call("DELETE", f"/containers/{identity}")
    wait_until(lambda: identity not in str(traces(loaded)))


def parent_of(pid: int) -> str:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith("PPid:"))


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_launcher_that_dies_is_replaced(loaded: Daemon) -> None:
    exec_root = loaded.arguments[loaded.arguments.index("--exec-root") + 1]
    run_detached(loaded, "before", "sleep 1000")
    wait_until(lambda: len(launchers(exec_root)) == 1)  # a shim forked ahead has its name for a moment
    (launcher,) = launchers(exec_root)
    os.kill(launcher, signal.SIGKILL)
    done = loaded.skiff("run", "--rm", "--network", "none", "busybox", "echo", "again")
    assert (done.stdout, done.returncode) == ("again\n", 0), done.stderr
    assert loaded.client.call("GET", "/containers/before/json")["State"]["Running"]
    loaded.client.call("DELETE", "/containers/before?force=1")


def launchers(exec_root: str) -> list[int]:
    """The processes that hold this exec root's launcher socket: not shims, which are its children's children."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{name}/comm", encoding="utf-8") as file:
                is_launcher = file.read() == "skiff-launcher\n"
        except OSError:
            continue
        if is_launcher and exec_root.encode() in words:
            found.append(int(name))
    return found


def test_without_live_restore_a_stop_of_the_daemon_stops_the_containers(loaded: Daemon) -> None:
    config = loaded.arguments[loaded.arguments.index("--config-file") + 1]
    run_detached(loaded, "leaving", "trap 'exit 6' TERM; while :; do sleep 0.1; done")
    pid = loaded.client.call("GET", "/containers/leaving/json")["State"]["Pid"]
    with open(config, "w", encoding="ascii") as file:
        file.write('{"live-restore": false}')
    loaded.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not loaded.client.call("GET", "/info")["LiveRestoreEnabled"])
    loaded.kill(signal.SIGTERM)
    assert not os.path.exists(f"/proc/{pid}")
    with open(config, "w", encoding="ascii") as file:
        file.write("{}")
    loaded.start()
    assert loaded.client.call("GET", "/containers/leaving/json")["State"]["ExitCode"] == 6
    loaded.client.call("DELETE", "/containers/leaving")
