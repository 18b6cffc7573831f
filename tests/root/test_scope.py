"""Containers as scopes of a systemd that runs: collected only where one does, in the lab's hosts and the virtual machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from skiff.cgroup import scope
from skiff.cgroup.manager import open_manager
from tests.root.box import Box

COMMAND = Path(__file__).parents[2] / "runtime" / "bin" / "skiff-oci"
MIB = 1 << 20
RESOURCES = {"memory": {"limit": 64 * MIB}, "cpu": {"shares": 512, "quota": 50_000, "period": 100_000}, "pids": {"limit": 30}}


class Scoped:
    """A container in a scope."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.name = box.prefix.strip("/")
        self.unit = scope.Unit(f"system.slice:skiff:{self.name}")
        self.manager = open_manager(f"system.slice:skiff:{self.name}")
        bundle = box.path / "bundle"
        shutil.copytree(box.rootfs, bundle / "rootfs", symlinks=True)
        self.spec = box.spec("sleep", "100")
        self.spec["linux"]["resources"].update(RESOURCES)
        self.spec["linux"]["cgroupsPath"] = f"system.slice:skiff:{self.name}"
        self.bundle = bundle

    def oci(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), "--root", str(self.box.path / "oci"), *arguments]
        log = self.box.path / "log"
        with log.open("w") as output:
            environment = {"PATH": "/usr/bin:/bin", "SKIFF_PYTHON": sys.executable}
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, timeout=120)
        result = subprocess.CompletedProcess(command, done.returncode, log.read_text(), "")
        assert not check or result.returncode == 0, result.stdout
        return result

    def run(self) -> None:
        (self.bundle / "config.json").write_text(json.dumps(self.spec))
        self.oci("--systemd-cgroup", "run", "--detach", "--bundle", str(self.bundle), "a")

    def shown(self, *names: str) -> dict[str, str]:
        """Properties, as systemctl shows them."""
        command = ["systemctl", "show", self.unit.name, f"--property={','.join(names)}"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    def value(self, first: str, second: str) -> str:
        """What stands in the file of its version."""
        for entrance in self.manager.entrances():
            file = Path(entrance).parent / (second if self.manager.version == 2 else first)
            if file.exists():
                return file.read_text().strip()
        raise FileNotFoundError(first)


@pytest.fixture
def scoped(box: Box) -> Iterator[Scoped]:
    made = Scoped(box)
    yield made
    made.oci("delete", "--force", "a")


def test_the_container_is_a_scope_with_its_limits(scoped: Scoped) -> None:
    scoped.run()
    shown = scoped.shown("ActiveState", "Slice", "Delegate", "DevicePolicy", "TasksMax", "CPUQuotaPerSecUSec", "ControlGroup")
    assert shown == {
        "ActiveState": "active", "Slice": "system.slice", "Delegate": "yes", "DevicePolicy": "strict", "TasksMax": "30",
        "CPUQuotaPerSecUSec": "500ms", "ControlGroup": scoped.unit.path,
    }  # fmt: skip
    memory, weight = ("MemoryMax", "CPUWeight") if scoped.manager.version == 2 else ("MemoryLimit", "CPUShares")
    assert scoped.shown(memory, weight) == {memory: str(64 * MIB), weight: "20" if scoped.manager.version == 2 else "512"}
    pid = json.loads(scoped.oci("state", "a").stdout)["pid"]
    paths = {line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}
    assert paths == {scoped.unit.path}
    assert scoped.manager.pids() == [pid], "what held the scope open is gone"


def test_a_daemon_reload_undoes_nothing(scoped: Scoped) -> None:
    scoped.spec["process"]["args"] = [
        "sh",
        "-c",
        "mknod /kmsg c 1 11; while :; do (: < /kmsg) 2>/dev/null && touch /opened; sleep 0.1; done",
    ]
    scoped.spec["linux"]["resources"]["memory"]["reservation"] = 32 * MIB
    scoped.run()
    before = [scoped.value(*row) for row in LIMITS]
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "set-property", "--runtime", "system.slice", "TasksMax=infinity"], check=True)
    assert [scoped.value(*row) for row in LIMITS] == before == BEFORE[scoped.manager.version]
    assert not (scoped.bundle / "rootfs" / "opened").exists()


LIMITS = (
    ("memory.limit_in_bytes", "memory.max"),
    ("memory.soft_limit_in_bytes", "memory.low"),
    ("cpu.shares", "cpu.weight"),
    ("cpu.cfs_quota_us", "cpu.max"),
    ("pids.max", "pids.max"),
)
BEFORE = {
    1: [str(64 * MIB), str(32 * MIB), "512", "50000", "30"],
    2: [str(64 * MIB), str(32 * MIB), "20", "50000 100000", "30"],
}


def test_update_is_systemds_too(scoped: Scoped) -> None:
    scoped.run()
    scoped.oci("update", "--memory", "128m", "--pids-limit", "40", "a")
    memory = "MemoryMax" if scoped.manager.version == 2 else "MemoryLimit"
    assert scoped.shown(memory, "TasksMax") == {memory: str(128 * MIB), "TasksMax": "40"}
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert scoped.value("memory.limit_in_bytes", "memory.max") == str(128 * MIB)


def test_delete_leaves_no_unit_and_no_group(scoped: Scoped) -> None:
    scoped.run()
    scoped.oci("delete", "--force", "a")
    assert scoped.shown("LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    assert not any(Path(entrance).parent.exists() for entrance in scoped.manager.entrances())


def test_a_unit_of_that_name_is_refused_and_lives(scoped: Scoped) -> None:
    other = ["systemd-run", "--scope", "--quiet", f"--unit={scoped.unit.name}", "--slice=other.slice", "sleep", "100"]
    with subprocess.Popen(other) as process:
        while scoped.shown("ActiveState")["ActiveState"] != "active":
            assert process.poll() is None
        with pytest.raises(AssertionError, match=f"systemd has a unit {scoped.unit.name} already: delete that container first"):
            scoped.run()
        assert process.poll() is None
        assert scoped.shown("ActiveState") == {"ActiveState": "active"}
        process.kill()


def test_a_container_that_cannot_be_leaves_no_scope(scoped: Scoped) -> None:
    scoped.spec["process"]["args"] = ["/nosuch"]
    with pytest.raises(AssertionError, match="/nosuch"):
        scoped.run()
    assert scoped.shown("ActiveState") == {"ActiveState": "inactive"}


def test_pause_resume_and_statistics(scoped: Scoped) -> None:
    scoped.run()
    scoped.oci("pause", "a")
    assert json.loads(scoped.oci("state", "a").stdout)["status"] == "paused"
    scoped.oci("resume", "a")
    stats: Any = json.loads(scoped.oci("events", "--stats", "a").stdout)["data"]
    assert (stats["memory"]["usage"]["limit"], stats["pids"]) == (64 * MIB, {"current": 1, "limit": 30})
