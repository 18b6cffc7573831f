"""Configurations that are large, odd or impossible: refused in one line, and nothing is left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.root.oci import Oci


def left(oci: Oci) -> str:
    return oci("list", "-q").stdout


def test_a_configuration_of_ten_megabytes(oci: Oci) -> None:
    annotations = {f"key{number}": "x" * 100 for number in range(90_000)}
    assert oci.run("true", annotations=annotations).stderr == ""
    assert left(oci) == ""


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"ociVersion": "1.0.2", "process": ' + "9" * 10_000 + "}", "\0", '{"process": []}']
)
def test_what_is_no_specification(oci: Oci, text: str) -> None:
    bundle = oci.bundle("odd", "true")
    (bundle / "config.json").write_text(text)
    done = oci("run", "-b", str(bundle), "odd", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"skiff-oci: {bundle}/config.json: ")
    assert len(done.stderr.splitlines()) == 1
    assert left(oci) == ""


ONE = {"containerID": 0, "hostID": 100_000, "size": 1000}
USERS = [{"type": kind} for kind in ("user", "mount", "pid", "ipc", "uts", "network", "cgroup")]


@pytest.mark.parametrize(
    "rows",
    [
        [ONE, {**ONE, "hostID": 200_000}],
        [ONE, {**ONE, "containerID": 1000}],
        [{**ONE, "hostID": 4_294_967_000}],
        [{**ONE, "containerID": 1}],
        [{**ONE, "containerID": number, "hostID": 100_000 + number, "size": 1} for number in range(400)],
    ],
    ids=["same inside", "same outside", "past the last", "without root", "more than the kernel takes"],
)
def test_mappings_that_the_kernel_refuses(oci: Oci, rows: list[dict[str, Any]]) -> None:
    linux = {"namespaces": USERS, "uidMappings": rows, "gidMappings": rows}
    said = oci.refused("true", linux=linux)
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    assert left(oci) == ""


def test_groups_that_a_user_namespace_does_not_have(oci: Oci) -> None:
    oci.owner = 100_000
    linux = {"namespaces": USERS, "uidMappings": [ONE], "gidMappings": [ONE]}
    assert len(oci.refused("true", process={"user": {"uid": 0, "gid": 0, "additionalGids": [5000]}}, linux=linux).splitlines()) == 1
    assert left(oci) == ""


def test_a_mount_that_fails_late_leaves_nothing(oci: Oci) -> None:
    mounts: list[dict[str, Any]] = [{"destination": f"/m{number}", "type": "tmpfs", "source": "tmpfs"} for number in range(50)]
    mounts.append({"destination": "/last", "type": "nosuch", "source": "x"})
    assert 'to rootfs at "/last"' in oci.refused("true", mounts=mounts)
    assert left(oci) == ""


def test_a_state_that_was_overwritten_is_told(oci: Oci) -> None:
    oci("create", "-b", str(oci.bundle("torn", "true")), "torn")
    path = oci.root / "torn" / "state.json"
    whole = path.read_text()
    for text in ("", "[]", '{"status": 5}', json.dumps({**json.loads(whole), "pid": "x"})):
        path.write_text(text)
        done = oci("state", "torn", check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("skiff-oci: ")
        assert "Traceback" not in done.stderr
    path.write_text(whole)
    oci("delete", "--force", "torn")
