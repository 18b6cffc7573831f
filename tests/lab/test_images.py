"""An image archive brought to the engines of two hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import pytest

from fleet import probe_image
from fleet.lab import Lab
from tests.lab import suite as suites
from tests.lab.loaded import reached, recorded
from tests.lab.suite import Suite, changed
from tests.unit.fleet import archives

HOSTS = ["images1", "images2"]
BIG = "lab/big:1"


@pytest.fixture(scope="module")
def provisioned(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two hosts with Skiff's engine."""
    with suites.provisioned(lab, tmp_path_factory.mktemp("provision"), HOSTS, 40):
        yield lab


@pytest.fixture
def suite(provisioned: Lab, tmp_path: Path) -> Suite:
    return Suite(provisioned, tmp_path)


def push(suite: Suite, path: Path, hosts: str, *words: str) -> subprocess.CompletedProcess[str]:
    where = ("--hosts", hosts, "--inventory", str(suite.lab.inventory))
    argv = suite.argv("images.push", str(path), *where, *words)
    return subprocess.run(argv, capture_output=True, text=True, env=suite.env(), cwd=suite.directory, timeout=300)


def images_of(lab: Lab, host: str) -> str:
    done = lab.exec(host, ["skiff", "images"])
    assert done.returncode == 0, done.stderr
    return done.stdout


def leftovers(lab: Lab, host: str) -> List[str]:
    """What no run in hand would have: spooled archives, and blobs that no image names."""
    script = "ls /var/lib/skiff-agent/spool; find /var/lib/skiff -name '*.tmp' -o -name '.tmp*'"
    return lab.exec(host, ["sh", "-c", script]).stdout.split()


def test_both_hosts_get_it_and_the_second_push_changes_nothing(suite: Suite, provisioned: Lab) -> None:
    path = probe_image.build(report=lambda _: None, root=suite.directory)
    assert push(suite, path, "images1", "--check").returncode == 0
    assert images_of(provisioned, "images1").count("\n") == 1, "a check loads nothing"
    # A host that has it already, and one that has not.
    with path.open("rb") as stream:
        subprocess.run([*provisioned.ssh_argv("images1"), "skiff load"], stdin=stream, stdout=subprocess.DEVNULL, check=True)
    first = json.loads(push(suite, path, "images*", "--json").stdout)["hosts"]
    assert [(first[host]["state"], changed(first[host])) for host in HOSTS] == [
        ("ok", []),
        ("changed", [f"images:{path.name}"]),
    ]
    again = push(suite, path, "images*")
    assert again.returncode == 0, again.stderr
    assert f"left alone, for {probe_image.REFERENCE} is there already: images1, images2\n" in again.stdout
    started = provisioned.exec("images2", ["skiff", "run", "--rm", "--network", "none", probe_image.REFERENCE, "echo", "it runs"])
    assert started.stdout == "it runs\n", started.stderr
    assert list(suite.events()[0]["images"].values()) == [[probe_image.REFERENCE]]
    assert leftovers(provisioned, "images2") == []


def test_an_archive_that_is_cut_short_reaches_no_host(suite: Suite) -> None:
    path = archives.write(suite.directory / "bad.tar", archives.docker())
    path.write_bytes(path.read_bytes()[:4000])
    done = push(suite, path, "images*")
    assert done.returncode == 1
    assert f"{path}: is no whole image archive: " in done.stderr
    assert not (suite.directory / "state").exists(), "no run was begun"


def test_a_dead_daemon_is_named_and_holds_up_no_other_host(suite: Suite, provisioned: Lab) -> None:
    path = archives.write(suite.directory / "a.tar", archives.docker("lab/dead:1", archives.tree(b"dead")))
    assert provisioned.exec("images1", ["systemctl", "stop", "skiff.service"]).returncode == 0
    try:
        done = push(suite, path, "images*", "--json")
    finally:
        provisioned.exec("images1", ["systemctl", "start", "skiff.service"])
    hosts = json.loads(done.stdout)["hosts"]
    assert (done.returncode, hosts["images1"]["state"], hosts["images2"]["state"]) == (2, "failed", "changed")
    [fault] = hosts["images1"]["faults"]
    assert (fault["brief"], fault["where"]) == ("skiff does not answer at /run/skiff.sock", "images:a.tar")
    assert "systemctl status skiff.service" in fault["resolution"]


def test_a_push_that_is_killed_leaves_nothing_half_loaded(suite: Suite, provisioned: Lab) -> None:
    path = archives.write(suite.directory / "big.tar", archives.docker(BIG, archives.tree(os.urandom(64 << 20))))
    argv = suite.argv("images.push", str(path), "--hosts", "images*", "--inventory", str(provisioned.inventory))
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=suite.env(), cwd=suite.directory)
    try:
        assert reached(suite.directory, "sending", "")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    sent = [event["sent"] for event in recorded(suite.directory) if event["kind"] == "sending"]
    assert max(sent) < path.stat().st_size, "it was killed while it sent"
    deadline = time.monotonic() + 30
    while any(provisioned.exec(host, ["test", "-s", "/run/skiff-agent.lock"]).returncode == 0 for host in HOSTS):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for host in HOSTS:
        assert BIG.partition(":")[0] not in images_of(provisioned, host)
        assert leftovers(provisioned, host) == []
    done = push(suite, path, "images*")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(BIG.partition(":")[0] in images_of(provisioned, host) for host in HOSTS)
