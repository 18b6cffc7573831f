"""skiffd as a process: its socket, its lock, its signals, what it says when it will not start."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path
from typing import Iterator

import pytest

from tests.contract.daemons import BIN, START_SECONDS, Daemon, run, spawn, wait_until_answers


def test_ping_has_docker_s_headers(skiffd: Daemon) -> None:
    for method in ("GET", "HEAD"):
        answer = skiffd.client.open(method, "/_ping")
        headers = answer.headers
        answer.close()
        assert (headers["api-version"], headers["ostype"], headers["docker-experimental"]) == ("1.41", "linux", "false")
        assert headers["server"].startswith("Skiff/")


def test_docker_version_and_info_print_what_it_is(skiffd: Daemon) -> None:
    version = skiffd.docker("version")
    assert version.returncode == 0, version.stderr
    assert "Server: Skiff" in version.stdout
    assert "API version:      1.41 (minimum version 1.24)" in version.stdout
    info = skiffd.docker("info")
    assert info.returncode == 0, info.stderr
    for line in ("Storage Driver: overlay2", "Default Runtime: skiff-oci", "Live Restore Enabled: true", "Swarm: inactive"):
        assert line in info.stdout
    assert "seccomp" in info.stdout
    assert "Profile: builtin" in info.stdout


def test_the_socket_is_for_root_and_its_group_alone(skiffd: Daemon) -> None:
    mode = skiffd.socket.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o660
    assert mode.st_uid == 0


@pytest.fixture
def own(tmp_path: Path, short_directory: str) -> Iterator[Daemon]:
    """A daemon of the test's own, not started."""
    if os.geteuid() != 0:
        pytest.skip("geteuid: not root")
    (tmp_path / "daemon.json").write_text("{}")
    roots = [
        "--data-root",
        str(tmp_path / "data"),
        "--exec-root",
        short_directory,
        "--config-file",
        str(tmp_path / "daemon.json"),
    ]
    sock = tmp_path / "s.sock"
    daemon = Daemon(sock, [str(BIN / "skiffd"), *roots, "-H", f"unix://{sock}"], tmp_path / "log", run_nothing())
    yield daemon
    if daemon.process.poll() is None:
        daemon.kill(signal.SIGKILL)


def run_nothing() -> subprocess.Popen[bytes]:
    """A process that has ended."""
    done = subprocess.Popen(["true"])
    done.wait()
    return done


def test_a_second_daemon_on_the_same_root_is_refused(own: Daemon, tmp_path: Path) -> None:
    own.start()
    second = run([*own.arguments[:-2], "-H", f"unix://{tmp_path}/second.sock"])
    assert second.returncode == 1
    assert "another skiffd uses this data root" in second.stderr


def test_a_second_daemon_on_the_same_socket_is_refused(own: Daemon, tmp_path: Path) -> None:
    own.start()
    other = [str(BIN / "skiffd"), "--data-root", f"{tmp_path}/d2", "--exec-root", "/run/skiff-test-unused", "-H", own.host]
    second = run(other)
    assert second.returncode == 1
    assert "another daemon answers there" in second.stderr
    own.client.open("GET", "/_ping").close()


def test_a_stale_socket_is_replaced_and_another_file_is_not(own: Daemon) -> None:
    own.start()
    own.kill(signal.SIGKILL)
    assert own.socket.exists()
    own.start()
    own.kill(signal.SIGTERM)
    assert own.process.returncode == 0
    assert not own.socket.exists()
    own.socket.write_text("precious")
    refused = run(own.arguments)
    assert refused.returncode == 1
    assert "a file that is no socket is in the way" in refused.stderr
    assert own.socket.read_text() == "precious"


def test_a_reload_takes_over_mirrors_and_a_broken_file_changes_nothing(own: Daemon, tmp_path: Path) -> None:
    own.start()
    config = tmp_path / "daemon.json"
    for text, words, mirrors in (
        (
            json.dumps({"registry-mirrors": ["https://m.example"], "labels": ["a=b"]}),
            "configuration reloaded",
            ["https://m.example/"],
        ),
        ("{ broken", "configuration not reloaded, the old one stays", ["https://m.example/"]),
        (json.dumps({"registry-mirrors": []}), "configuration reloaded: labels, registry-mirrors", []),
    ):
        config.write_text(text)
        before = own.log.read_text().count("configuration ")
        own.process.send_signal(signal.SIGHUP)
        wait_for_log(own, "configuration ", before + 1)
        assert words in own.log.read_text().splitlines()[-1]
        assert own.client.call("GET", "/info")["RegistryConfig"]["Mirrors"] == mirrors


def wait_for_log(daemon: Daemon, words: str, count: int) -> None:
    """Until the words have come so often."""
    import time

    deadline = time.monotonic() + START_SECONDS
    while daemon.log.read_text().count(words) < count:
        assert time.monotonic() < deadline, daemon.log.read_text()
        time.sleep(0.02)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end of its notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(START_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def test_systemd_s_watchdog_is_fed(own: Daemon, manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    own.process = spawn(own.arguments, own.log)
    assert [manager.recv(4096) for _ in range(4)].count(b"WATCHDOG=1") >= 2


def test_systemd_is_told_of_readiness_reload_and_stop(own: Daemon, manager: socket.socket) -> None:
    own.process = spawn(own.arguments, own.log)
    assert manager.recv(4096).startswith(b"READY=1")
    wait_until_answers(own)
    own.process.send_signal(signal.SIGHUP)
    assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert manager.recv(4096).startswith(b"READY=1")
    own.process.send_signal(signal.SIGTERM)
    assert manager.recv(4096).startswith(b"STOPPING=1")


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [("{}", 0, "configuration OK"), ('{"foo": 1}', 1, "don't match any configuration option: foo"), ("{", 1, "not JSON")],
)
def test_validate_checks_and_starts_nothing(tmp_path: Path, text: str, status: int, words: str) -> None:
    (tmp_path / "d.json").write_text(text)
    done = run(
        [str(BIN / "skiffd"), "--validate", "--config-file", str(tmp_path / "d.json"), "--data-root", str(tmp_path / "data")]
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


def test_many_clients_at_once_are_answered(skiffd: Daemon) -> None:
    answers: list[str] = []

    def ask() -> None:
        answers.extend(skiffd.client.call("GET", "/version")["Version"] for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 160
