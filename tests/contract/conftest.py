"""Two engines side by side: our skiffd and Docker's dockerd as the oracle, each on roots and sockets of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from tests.contract.archives import busybox_layer, write_docker_archive
from tests.contract.daemons import BIN, Daemon, spawn, wait_until_answers

# Where skiffd, dockerd, containerd's ctr and its CRI plugin put containers.
ENGINES = ("skiff.slice", "docker", "default", "k8s.io")


def needs_root() -> None:
    """These daemons cannot run without."""
    if os.geteuid() != 0:
        pytest.skip("geteuid: not root")


@pytest.fixture(scope="session", autouse=True)
def no_slice_left() -> Iterator[None]:
    """Engines keep the groups that they put containers below; on this machine those that were not there go when the tests do."""
    roots = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]
    ours = [root / name for root in roots for name in ENGINES if not (root / name).exists()]
    yield
    for top in ours:
        for directory, _, _ in os.walk(top, topdown=False):
            os.rmdir(directory)


@pytest.fixture(scope="session")
def busybox_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A docker-archive of one layer with a static busybox, named busybox:latest."""
    program = Path("/bin/busybox")
    if not program.exists():
        pytest.skip("/bin/busybox is not here: install busybox-static")
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    layer = busybox_layer(program.read_bytes())
    write_docker_archive(path, layer, "busybox:latest", {"Cmd": ["sh"], "Env": ["PATH=/bin"], "Labels": {"from": "test"}})
    return path


@pytest.fixture(scope="module")
def short_directory() -> Iterator[str]:
    """An exec root: the paths of sockets are limited, and pytest's directories are too long for them."""
    path = tempfile.mkdtemp(prefix="skiff-", dir="/tmp")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def skiffd(tmp_path_factory: pytest.TempPathFactory, short_directory: str) -> Iterator[Daemon]:
    """Our daemon, empty."""
    needs_root()
    root = tmp_path_factory.mktemp("skiffd")
    sock = root / "s.sock"
    roots = ["--data-root", str(root / "data"), "--exec-root", short_directory, "--config-file", str(root / "daemon.json")]
    (root / "daemon.json").write_text("{}")
    arguments = [str(BIN / "skiffd"), "-D", *roots, "-H", f"unix://{sock}"]
    daemon = Daemon(sock, arguments, root / "log", spawn(arguments, root / "log"))
    try:
        wait_until_answers(daemon)
        yield daemon
        remove_everything(daemon)
    finally:
        if daemon.process.poll() is None:
            daemon.kill(signal.SIGTERM)


def remove_everything(daemon: Daemon) -> None:
    """Leave no container behind, for it would outlive the daemon."""
    for container in daemon.client.call("GET", "/containers/json?all=1"):
        daemon.client.call("DELETE", f"/containers/{container['Id']}?force=1")


@pytest.fixture(scope="module")
def loaded(skiffd: Daemon, busybox_archive: Path) -> Daemon:
    """Our daemon with the busybox image."""
    done = skiffd.skiff("load", "-i", str(busybox_archive))
    assert done.returncode == 0, done.stderr
    return skiffd


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[Daemon]:
    """Docker's daemon with the busybox image: the oracle."""
    needs_root()
    program = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("dockerd is not here: install docker.io")
    root = tmp_path_factory.mktemp("dockerd")
    sock = root / "s.sock"
    roots = ["--data-root", str(root / "data"), "--exec-root", str(root / "exec"), "--pidfile", str(root / "pid")]
    arguments = [program, *roots, "-H", f"unix://{sock}", "--bridge=none", "--iptables=false", "--ip-forward=false"]
    daemon = Daemon(sock, arguments, root / "log", spawn(arguments, root / "log"))
    try:
        wait_until_answers(daemon)
        done = daemon.docker("load", "-i", str(busybox_archive))
        assert done.returncode == 0, done.stderr
        yield daemon
        remove_everything(daemon)
    finally:
        daemon.kill(signal.SIGTERM)
