"""skiff-oci's commands about a container's cgroup: ps, pause, resume, update, events; and whose processes are never touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from skiff.cgroup.manager import open_manager
from tests.root.box import Box

COMMAND = Path(__file__).parents[2] / "runtime" / "bin" / "skiff-oci"
MIB = 1 << 20
Until = Callable[[Callable[[], bool]], None]


class Runtime:
    """A runtime on a root of its own, ours or runc, and the containers that it has made."""

    def __init__(self, command: str, box: Box, name: str) -> None:
        self.command, self.box, self.name = command, box, name
        self.root = box.path / f"{name}-root"
        self.made: list[str] = []

    def __call__(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [self.command, "--root", str(self.root), *arguments]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SKIFF_PYTHON": sys.executable}
        output, errors = self.box.path / "output", self.box.path / "errors"
        # Files, not pipes: a container that outlives `run --detach` would hold a pipe open.
        with output.open("w") as out, errors.open("w") as err:
            done = subprocess.run(command, input=stdin, stdout=out, stderr=err, env=environment, timeout=120, text=True)
        result = subprocess.CompletedProcess(command, done.returncode, output.read_text(), errors.read_text())
        assert not check or result.returncode == 0, result.stderr
        return result

    def run(self, resources: dict[str, Any], *arguments: str, identity: str = "a") -> None:
        """A detached container with these resources."""
        bundle = self.box.path / f"{self.name}-{identity}"
        shutil.copytree(self.box.rootfs, bundle / "rootfs", symlinks=True)
        spec = self.box.spec(*(arguments or ("sleep", "100")))
        spec["linux"]["resources"].update(resources)
        spec["linux"]["cgroupsPath"] = self.path(identity)
        (bundle / "config.json").write_text(json.dumps(spec))
        self.made.append(identity)
        self("run", "--detach", "--bundle", str(bundle), identity)

    def path(self, identity: str = "a") -> str:
        return f"{self.box.prefix}/{self.name}-{identity}"

    def status(self, identity: str = "a") -> str:
        found: str = json.loads(self("state", identity).stdout)["status"]
        return found

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("events", *arguments).stdout.splitlines()]

    def close(self) -> None:
        for identity in self.made:
            self("delete", "--force", identity)


@pytest.fixture
def oci(box: Box) -> Iterator[Runtime]:
    runtime = Runtime(str(COMMAND), box, "skiff")
    yield runtime
    runtime.close()


@pytest.fixture
def runc(box: Box) -> Iterator[Runtime]:
    found = shutil.which("runc", path="/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip("runc is not installed")
    runtime = Runtime(found, box, "runc")
    yield runtime
    runtime.close()


def files(path: str) -> dict[str, str]:
    """Every limit of a group: the files that can be written and read, and are no counters or lists of processes."""
    found = {}
    for directory in {Path(entrance).parent for entrance in open_manager(path).entrances()}:
        for file in directory.iterdir():
            if file.is_file() and file.stat().st_mode & 0o200 and file.name not in VOLATILE:
                try:
                    found[f"{directory.parts[4] if len(directory.parts) > 4 else ''}/{file.name}"] = file.read_text()
                except OSError:
                    continue  # it can only be written
    return found


VOLATILE = frozenset(
    (
        "cgroup.procs", "cgroup.threads", "tasks", "cpuacct.usage", "cpu.stat", "memory.stat", "memory.peak", "memory.swap.peak",
        "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes",
        "memory.kmem.usage_in_bytes", "memory.kmem.max_usage_in_bytes", "memory.kmem.tcp.max_usage_in_bytes", "memory.pressure",
        "cpu.pressure", "io.pressure", "irq.pressure", "pids.peak",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"memory": {"limit": 64 * MIB, "reservation": 32 * MIB}},
        {"memory": {"limit": 64 * MIB, "swap": 128 * MIB}},
        {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}},
        {"memory": {"limit": 64 * MIB, "swap": -1}},
        {"memory": {"limit": -1}},
        {"cpu": {"shares": 2}},
        {"cpu": {"shares": 5000, "quota": 20_000, "period": 50_000}},
        {"cpu": {"quota": -1, "period": 30_000}},
        {"cpu": {"cpus": "0", "mems": "0"}},
        {"pids": {"limit": 42}},
        {"blockIO": {"throttleReadBpsDevice": ["DISK 1048576"], "throttleWriteIOPSDevice": ["DISK 300"]}},
    ],
)
def test_limits_are_those_that_runc_sets(oci: Runtime, runc: Runtime, resources: dict[str, Any]) -> None:
    text = json.dumps(resources)
    disk = {"major": (254 if Path("/sys/block/vda").exists() else 7), "minor": 0}
    for rate in ("1048576", "300"):
        text = text.replace(f'"DISK {rate}"', json.dumps({**disk, "rate": int(rate)}))
    for runtime in (oci, runc):
        runtime.run(json.loads(text))
    ours, theirs = files(oci.path()), files(runc.path())
    assert ours == theirs
    assert len(ours) > 10


def test_devices_are_those_that_runc_grants_but_for_tun(oci: Runtime, runc: Runtime) -> None:
    """Runc 1.1 gives every container /dev/net/tun, which the specification does not; runc 1.2 does so no more."""
    if open_manager("/x").version == 2:
        pytest.skip("version 2 has no list of devices to compare; what it grants is tested by opening them")
    for runtime in (oci, runc):
        runtime.run({})
    ours, theirs = (
        {*(Path("/sys/fs/cgroup/devices" + each.path()) / "devices.list").read_text().splitlines()} for each in (oci, runc)
    )
    assert theirs - ours == {"c 10:200 rwm"}
    assert ours - theirs == set()


def shape(value: Any) -> Any:
    """Names without numbers."""
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value)


def test_statistics_have_runcs_shape(oci: Runtime, runc: Runtime) -> None:
    limits = {"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}}
    for runtime in (oci, runc):
        runtime.run(limits)
    ours, theirs = (runtime.events("--stats", "a")[0] for runtime in (oci, runc))
    assert (ours["type"], ours["id"]) == (theirs["type"], theirs["id"]) == ("stats", "a")
    for data in (ours["data"], theirs["data"]):
        data.pop("blkio")  # what a container has read yet differs
        data["memory"].pop("cache", None)
        for usage in ("usage", "swap", "kernel", "kernelTCP"):
            data["memory"][usage].pop("max", None)  # runc 1.1 does not read memory.peak
            data["memory"][usage].pop("usage", None)
    assert shape(ours["data"]) == shape(theirs["data"])
    assert ours["data"]["memory"]["usage"]["limit"] == theirs["data"]["memory"]["usage"]["limit"] == 64 * MIB
    assert ours["data"]["pids"] == theirs["data"]["pids"] == {"current": 1, "limit": 20}
    assert ours["data"]["cpuset"] == theirs["data"]["cpuset"]


def test_pause_and_resume(oci: Runtime) -> None:
    oci.run({}, "sh", "-c", "while :; do touch /beat; sleep 0.02; done")
    beat = oci.box.path / "skiff-a" / "rootfs" / "beat"
    oci("pause", "a")
    assert oci.status() == "paused"
    assert json.loads(oci("list", "--format", "json").stdout)[0]["status"] == "paused"
    before = beat.stat().st_mtime_ns
    again = oci("pause", "a", check=False)
    assert (again.returncode, again.stderr) == (1, "skiff-oci: container not running or created: a is paused\n")
    assert beat.stat().st_mtime_ns == before
    oci("resume", "a")
    assert oci.status() == "running"
    again = oci("resume", "a", check=False)
    assert (again.returncode, again.stderr) == (1, "skiff-oci: container not paused: a is running\n")


def test_a_paused_container_can_be_killed_and_deleted(oci: Runtime, until: Until) -> None:
    for identity in ("a", "b"):
        oci.run({}, identity=identity)
        oci("pause", identity)
    oci("kill", "a", "KILL")
    until(lambda: oci.status() == "stopped")
    oci("delete", "a")
    oci("delete", "--force", "b")
    oci.made.clear()


def test_ps_shows_its_processes_and_no_others(oci: Runtime) -> None:
    oci.run({}, "sh", "-c", "sleep 100 & exec sleep 200")
    pids = json.loads(oci("ps", "--format", "json", "a").stdout)
    assert sorted(pids) == sorted(open_manager(oci.path()).pids())
    assert len(pids) == 2
    heading, *rows = oci("ps", "a").stdout.splitlines()
    assert heading.split()[:3] == ["UID", "PID", "PPID"]
    assert sorted(int(row.split()[1]) for row in rows) == sorted(pids)
    chosen = oci("ps", "a", "-o", "pid,comm", "-e").stdout.splitlines()
    assert sorted(row.split()[1] for row in chosen[1:]) == ["sleep", "sleep"]
    bad = oci("ps", "a", "-o", "comm", check=False)
    assert (bad.returncode, "add it, as -o pid,comm" in bad.stderr) == (1, True)


def limit_of(path: str) -> int:
    return open_manager(path).stats()["memory"]["usage"]["limit"]


def test_update_by_flags_and_by_document(oci: Runtime) -> None:
    oci.run({"memory": {"limit": 64 * MIB}, "pids": {"limit": 20}})
    oci("update", "--memory", "128m", "--memory-swap", "256m", "--pids-limit", "30", "--cpu-share", "512", "a")
    stats = open_manager(oci.path()).stats()
    assert (stats["memory"]["usage"]["limit"], stats["memory"]["swap"]["limit"]) == (128 * MIB, 256 * MIB)
    assert stats["pids"]["limit"] == 30
    oci("update", "--resources", "-", "a", stdin=json.dumps({"memory": {"limit": 32 * MIB, "swap": 32 * MIB}}))
    assert limit_of(oci.path()) == 32 * MIB
    document = oci.box.path / "resources.json"
    document.write_text(json.dumps({"pids": {"limit": 0}}))
    oci("update", "--resources", str(document), "a")
    assert open_manager(oci.path()).stats()["pids"]["limit"] == 0
    assert limit_of(oci.path()) == 32 * MIB


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["--memory", "much"], "", 'invalid argument "much" for "--memory" flag: invalid size: \'much\'; write it like 32m or 1g'),
        (["--pids-limit", "x"], "", "--pids-limit x: a number is wanted"),
        (["--cpuset-cpus", "x"], "", "update: cpu.cpus: must be a list of numbers and ranges, as 0-2,5"),
        (["--resources", "-"], '{"memory": {"limit": "5"}}', "-: memory.limit: must be an integer"),
        (
            ["--resources", "-"],
            "{",
            "-: not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (["--resources", "-", "--memory", "5m"], "{}", "--resources stands alone: write the other limits into its document"),
        (["--resources", "/nonexistent"], "", "--resources /nonexistent: No such file or directory"),
    ],
)
def test_a_wrong_update_changes_nothing(oci: Runtime, arguments: list[str], stdin: str, message: str) -> None:
    oci.run({"memory": {"limit": 64 * MIB}})
    done = oci("update", *arguments, "a", check=False, stdin=stdin)
    assert (done.returncode, done.stderr) == (1, f"skiff-oci: {message}\n")
    assert limit_of(oci.path()) == 64 * MIB


def test_events_tell_of_an_oom_kill_and_end_with_the_container(oci: Runtime) -> None:
    wait = "until [ -e /%s ]; do sleep 0.05; done; "
    script = f"{wait % 'go'}dd if=/dev/zero of=/dev/null bs=64M count=1; {wait % 'end'}"
    oci.run({"memory": {"limit": 16 * MIB}}, "sh", "-c", script)
    rootfs = oci.box.path / "skiff-a" / "rootfs"
    command = [oci.command, "--root", str(oci.root), "events", "--interval", "300ms", "a"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "SKIFF_PYTHON": sys.executable}
    ) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())]
        (rootfs / "go").touch()
        while seen[-1]["type"] != "oom":
            seen.append(json.loads(process.stdout.readline()))
        (rootfs / "end").touch()
        seen += [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert [event["type"] for event in seen].count("oom") == 1
    assert {event["type"] for event in seen} == {"oom", "stats"}
    assert all(event["id"] == "a" for event in seen)
    gone = oci("events", "a", check=False)
    assert (gone.returncode, gone.stderr) == (1, "skiff-oci: container a is not running: it is stopped\n")


def test_a_group_in_use_is_refused_and_its_processes_live(oci: Runtime) -> None:
    manager = open_manager(oci.path())
    manager.create({})
    enter = "".join(f"echo 0 > {path}; " for path in manager.entrances())
    with subprocess.Popen(["sh", "-c", enter + "echo; exec sleep 100"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(AssertionError, match=r"container's cgroup is not empty: 1 process\(es\) found"):
            oci.run({})
        oci("delete", "--force", "a")
        assert process.poll() is None
        process.kill()
    manager.delete()


def test_a_user_namespace_that_may_write_its_view_has_the_tree_and_not_the_limits(oci: Runtime) -> None:
    """Version 1 gives nothing away: whoever owned a group there could lift its limits."""
    attempt = "mkdir inner && echo made && echo 0 > inner/cgroup.procs && echo moved; (echo 500 > pids.max) || echo refused"
    script = f"(cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; {attempt}) 2>/dev/null"
    bundle = oci.box.path / "skiff-a"
    shutil.copytree(oci.box.rootfs, bundle / "rootfs", symlinks=True)
    subprocess.run(["chown", "-hR", "100000:100000", bundle / "rootfs"], check=True)
    spec = oci.box.spec("sh", "-c", script)
    spec["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        spec["linux"][name] = [{"containerID": 0, "hostID": 100_000, "size": 65536}]
    spec["linux"]["resources"]["pids"] = {"limit": 50}
    spec["linux"]["cgroupsPath"] = oci.path()
    for mount in spec["mounts"]:
        if mount["type"] == "cgroup":
            mount["options"].remove("ro")
    (bundle / "config.json").write_text(json.dumps(spec))
    said = oci("run", "--bundle", str(bundle), "a").stdout
    assert said == ("made\nmoved\nrefused\n" if open_manager("/x").version == 2 else "refused\n")
