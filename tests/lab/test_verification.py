"""A live host on which several things are broken: each is named, with its severity, and well again once it is mended."""

from __future__ import annotations

import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping

import pytest

from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import RUN, Suite, journal

FAKETIME = str(next(Path("/usr/lib").rglob("libfaketime.so.1"), "missing"))
# Whoever runs the tests in the background has Ctrl-C ignored.
HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
BREAK = """
sysctl -qw net.ipv4.ip_forward=0
echo >> /etc/systemd/system/skiff.service
mkdir -p /boot && mount -t tmpfs -o size=1m,nr_inodes=16 tmpfs /boot && touch $(seq -f /boot/%g 20) 2>/dev/null
true
"""
MEND = """
umount /boot
sysctl -qw net.ipv4.ip_forward=1
sed -i '$d' /etc/systemd/system/skiff.service
"""


class Broken(BaseHTTPRequestHandler):
    """A registry that has fallen over."""

    def do_GET(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def broken_mirror(lab: Lab) -> Iterator[str]:
    address = lab.status()[0].address.rpartition(".")[0] + ".1"
    server = ThreadingHTTPServer((address, 0), Broken)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{address}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def failing(outcome: Mapping[str, Any]) -> Dict[str, str]:
    """The severity of every check that did not pass, by name."""
    return {check["name"]: check["severity"] for check in outcome["checks"] if not check["passed"]}


def told(outcome: Mapping[str, Any], name: str) -> str:
    return next(str(check["detail"]) for check in outcome["checks"] if check["name"] == name)


def test_what_is_broken_on_a_live_host_is_named(lab: Lab, fresh_host: FreshHost, broken_mirror: str, tmp_path: Path) -> None:
    name = fresh_host().name
    suite = Suite(lab, tmp_path)
    assert suite.document("provision", name)["status"] == 0
    before = len(journal(lab, name))
    sound = suite.document("verify", name, "--boot")
    assert (sound["status"], failing(sound[name])) == (0, {})
    said = journal(lab, name)[before:]
    assert len([line for line in said if line.startswith("Starting session: ")]) == 1

    assert lab.exec(name, ["sh", "-c", BREAK]).returncode == 0
    dead = broken_mirror.rpartition(":")[0] + ":9"
    # It is this machine's clock that is late, so the host's is early; by far more than a busy machine could explain.
    suite.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME": "-600s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    page = tmp_path / "verify.html"
    found = suite.document("verify", name, "--set", f"registry_mirrors=['{broken_mirror}', '{dead}']", "--html", str(page))
    suite.environment = {}
    assert found["status"] == 2
    wanted = {
        "clock": "critical",
        "sysctls": "critical",
        "ipv4_forwarding": "critical",
        "registry_mirrors": "critical",
        "inode_room": "critical",
        "disk_room": "warning",
        "mirrors_answer": "warning",
        "drift": "warning",
    }
    assert failing(found[name]) == wanted
    assert " s ahead, " in told(found[name], "clock")
    assert told(found[name], "ipv4_forwarding") == "WARNING: IPv4 forwarding is disabled"
    assert f"{broken_mirror}: HTTP 500" in told(found[name], "mirrors_answer")
    assert "Connection refused" in told(found[name], "mirrors_answer")
    assert "net.ipv4.ip_forward: is 0; it was 1" in told(found[name], "drift")
    assert "/etc/systemd/system/skiff.service: was changed" in told(found[name], "drift")
    assert "/boot: 0 % of 16 free" in told(found[name], "inode_room")
    assert all(word in page.read_text() for word in wanted)

    lab.exec(name, ["sh", "-c", MEND])
    mended = suite.document("verify", name, "--only", ",".join(wanted))
    assert (mended["status"], failing(mended[name])) == (0, {})
    watched(suite, lab, name)


def watched(suite: Suite, lab: Lab, name: str) -> None:
    """A daemon that is stopped and started while somebody watches; the status is the last round's."""
    words = ("--hosts", name, "--inventory", str(lab.inventory), "--watch", "1", "--only", "service_active,info_answers,clock")
    argv = suite.argv("verify", *words, code=HEARS + RUN)
    watch = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=suite.env(), cwd=suite.directory)
    assert watch.stdout is not None
    assert watch.stderr is not None
    try:
        assert "watching 1 host" in watch.stderr.readline()
        lab.exec(name, ["systemctl", "stop", "skiff"])
        said = until(watch, "info_answers: ok -> critical")
        assert f"{name}: service_active: ok -> critical skiff.service runs: inactive (dead)" in said
        lab.exec(name, ["systemctl", "start", "skiff"])
        until(watch, "host: failed -> ok", "service_active: critical -> ok")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(60) == 0
    finally:
        watch.kill()
        watch.communicate()


def until(watch: subprocess.Popen[str], *words: str) -> str:
    """What was told up to when all of these were."""
    assert watch.stdout is not None
    said = ""
    while not all(word in said for word in words):
        line = watch.stdout.readline()
        assert line, said
        said += line
    return said
