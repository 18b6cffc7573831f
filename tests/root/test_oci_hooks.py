"""Hooks: in which namespaces, with which state, in what order, and what a failure does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.root.box import alive
from tests.root.oci import Oci

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
OUTSIDE = ("prestart", "createRuntime", "poststart", "poststop")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Notes its name, its namespaces, its environment and the state it is told."""
    path = tmp_path / "hook"
    path.write_text(
        "#!/bin/sh\nstate=$(cat)\n"
        'printf \'{"stage": "%s", "mnt": "%s", "net": "%s", "word": "%s", "state": %s}\\n\' '
        f'"$1" "$(readlink /proc/self/ns/mnt)" "$(readlink /proc/self/ns/net)" "$WORD" "$state" >> {tmp_path}/notes\n'
    )
    path.chmod(0o755)
    return path


def notes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "notes").read_text().splitlines()] if (path / "notes").exists() else []


def hook(path: Path | str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "args": [str(path), *arguments], **more}


def test_each_stage_in_its_namespaces_with_its_state(oci: Oci, script: Path, tmp_path: Path) -> None:
    hooks = {
        stage: [hook(script, stage, env=["WORD=of its own", "PATH=/bin:/usr/bin"])] for stage in STAGES if stage != "startContainer"
    }
    inside = "cat > /state; echo startContainer >> /order; grep CapEff /proc/self/status >> /order"
    hooks["startContainer"] = [hook("/bin/sh", "-c", inside)]
    bundle = oci.bundle("a", "sh", "-c", "echo program >> /order; sleep 100", hooks=hooks, annotations={"of": "ours"})
    oci("create", "-b", str(bundle), "a")
    pid = oci.state("a")["pid"]
    own = {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ("mnt", "net")}
    assert [row["stage"] for row in notes(tmp_path)] == ["prestart", "createRuntime", "createContainer"]
    oci("start", "a")
    assert json.loads((bundle / "rootfs" / "state").read_text()) == {
        "ociVersion": "1.2.0", "id": "a", "bundle": str(bundle), "annotations": {"of": "ours"}, "pid": 1, "status": "created",
    }  # fmt: skip
    assert [row["stage"] for row in notes(tmp_path)] == ["prestart", "createRuntime", "createContainer", "poststart"]
    oci("delete", "--force", "a")
    rows = {row["stage"]: row for row in notes(tmp_path)}
    assert list(rows) == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    statuses = {
        "prestart": "creating",
        "createRuntime": "creating",
        "createContainer": "creating",
        "poststart": "running",
        "poststop": "stopped",
    }
    for stage, row in rows.items():
        assert row["word"] == "of its own"
        assert row["state"]["status"] == statuses[stage]
        assert row["state"]["pid"] == {"createContainer": 1, "poststop": 0}.get(stage, pid)
        for name in ("mnt", "net"):
            assert (row[name] == own[name]) == (stage == "createContainer"), (stage, name)
    order = (bundle / "rootfs" / "order").read_text().split("\n")
    assert order[:3] == ["startContainer", "CapEff:\t00000000a80425fb", "program"]


def test_network_of_the_container_can_be_set_up_by_createruntime(oci: Oci, tmp_path: Path) -> None:
    path = tmp_path / "net"
    path.write_text(
        "#!/bin/sh\npid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/')\nexec nsenter -t $pid -n ip link add d0 type veth peer name d1\n"
    )
    path.chmod(0o755)
    said = oci.said(
        "cat",
        "/proc/sys/net/ipv4/conf/d0/forwarding",
        hooks={"createRuntime": [hook(path)]},
        linux={"sysctl": {"net.ipv4.conf.all.forwarding": "1"}},
    )
    assert said == "1\n"


@pytest.mark.parametrize("stage", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_ends_the_creation(oci: Oci, tmp_path: Path, stage: str) -> None:
    bad = tmp_path / "bad"
    bad.write_text("#!/bin/sh\necho the reason >&2; exit 3\n")
    bad.chmod(0o755)
    bundle = oci.bundle("a", "true", hooks={stage: [hook("/bin/true"), hook(bad)]})
    done = oci("create", "-b", str(bundle), "a", check=False)
    assert done.returncode == 1
    assert f"error running {stage} hook #1" in done.stderr
    assert "the reason" in done.stderr
    assert not (oci.root / "a").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_a_hook_has_so_long(oci: Oci, stage: str) -> None:
    """One of poststop is a warning, any other is the end of the container."""
    done = oci.run("true", hooks={stage: [hook("/bin/sleep", "60", timeout=1)]}, check=False)
    assert done.returncode == (0 if stage == "poststop" else 1)
    assert f"error running {stage} hook" in done.stderr
    assert "ran past" in done.stderr
    assert oci("list", "--quiet").stdout == ""


def test_a_startcontainer_hook_that_fails_ends_the_start(oci: Oci) -> None:
    bundle = oci.bundle("a", "true", hooks={"startContainer": [hook("/bin/false")]})
    oci("create", "-b", str(bundle), "a")
    done = oci("start", "a", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "skiff-oci: error running startContainer hook: it failed or ran past its timeout\n",
    )
    oci("delete", "--force", "a")


def test_a_poststart_hook_that_fails_stops_the_container(oci: Oci, until: Callable[[Callable[[], bool]], None]) -> None:
    bundle = oci.bundle("a", "sleep", "100", hooks={"poststart": [hook("/bin/false")]})
    oci("create", "-b", str(bundle), "a")
    pid = oci.state("a")["pid"]
    done = oci("start", "a", check=False)
    assert (done.returncode, done.stderr) == (1, "skiff-oci: error running poststart hook #0 (/bin/false): exit status 1\n")
    until(lambda: not alive(pid))
    oci("delete", "a")


def test_a_poststop_hook_that_fails_is_a_warning_and_the_next_one_runs(oci: Oci, script: Path, tmp_path: Path) -> None:
    bundle = oci.bundle("a", "true", hooks={"poststop": [hook("/bin/false"), hook(script, "second")]})
    done = oci("run", "-b", str(bundle), "a")
    assert "warning: error running poststop hook #0 (/bin/false): exit status 1" in done.stderr
    assert [row["stage"] for row in notes(tmp_path)] == ["second"]


def test_a_hook_may_ask_about_its_container(oci: Oci, tmp_path: Path) -> None:
    """The state is not locked meanwhile."""
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\n{oci.command[0]} --root {oci.root} state a > {tmp_path}/told.$1\n")
    ask.chmod(0o755)
    hooks = {stage: [hook(ask, stage)] for stage in ("createRuntime", "poststart")}
    oci("run", "-d", "-b", str(oci.bundle("a", "sleep", "100", hooks=hooks)), "a")
    oci("delete", "--force", "a")
    told = {stage: json.loads((tmp_path / f"told.{stage}").read_text())["status"] for stage in hooks}
    assert told == {"createRuntime": "creating", "poststart": "running"}


def test_a_hook_that_is_the_containers_file_is_filtered_too(oci: Oci) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}]}
    hooks = {"startContainer": [hook("/bin/sh", "-c", "mkdir /x 2> /said; true")]}
    said = oci.said("cat", "/said", linux={"seccomp": profile}, hooks=hooks)
    assert "error 77" in said or "File descriptor in bad state" in said
