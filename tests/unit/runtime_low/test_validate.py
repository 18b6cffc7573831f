"""What is refused in a config.json, and that the message names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skiff.errors import InvalidInput, SkiffError, Unsupported
from skiff.oci import bundle
from skiff.spec.defaults import default_spec
from skiff.spec.validate import validate


def changed(path: str, value: Any) -> Any:
    """The default document with one key, by its dotted path, changed; None removes it."""
    document: Any = default_spec()
    *parents, last = path.split(".")
    place = document
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is None:
        place.pop(last, None)
    else:
        place[int(last) if last.isdigit() else last] = value
    return document


def test_the_default_is_sound() -> None:
    assert validate(default_spec(), "config.json") == default_spec()


def test_each_default_is_a_document_of_its_own() -> None:
    first = default_spec()
    first["process"]["capabilities"]["bounding"].clear()
    first["mounts"].clear()
    first["linux"]["maskedPaths"].clear()
    assert validate(default_spec(), "config.json")["mounts"]
    assert default_spec()["process"]["capabilities"]["bounding"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ociVersion", None, "ociVersion: is missing"),
        ("ociVersion", "2.0.0", "ociVersion: must be 1.x"),
        ("root", None, "root: is missing"),
        ("root", [], "root: must be an object"),
        ("root.path", "", "root.path: must not be empty"),
        ("root.readonly", "yes", "root.readonly: must be true or false"),
        ("process", None, "process: is missing"),
        ("process.args", [], "process.args: must not be empty"),
        ("process.args", "sh", "process.args: must be an array"),
        ("process.args", ["sh", 5], "process.args[1]: must be a string"),
        ("process.args", ["a\0b"], "process.args[0]: must not contain a zero byte"),
        ("process.args", ["\ud800"], "process.args[0]: is not valid Unicode"),
        ("process.cwd", "tmp", "process.cwd: must be an absolute path"),
        ("process.user.uid", -1, "process.user.uid: must be between 0 and 4294967294"),
        ("process.user.uid", True, "process.user.uid: must be an integer"),
        ("process.user.umask", 0o1000, "process.user.umask: must be between 0 and 511"),
        ("process.oomScoreAdj", 1001, "process.oomScoreAdj: must be between -1000 and 1000"),
        ("process.capabilities.bounding", [7], "process.capabilities.bounding[0]: must be a string"),
        ("process.terminal", "yes", "process.terminal: must be true or false"),
        ("process.consoleSize", {"height": 5}, "process.consoleSize.width: is missing"),
        ("process.scheduler", {"policy": "SCHED_X"}, "process.scheduler.policy: unknown value 'SCHED_X': SCHED_OTHER,"),
        ("process.scheduler", {"policy": "SCHED_OTHER", "priority": 5}, "process.scheduler.priority: is for SCHED_FIFO"),
        ("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority: must be between 0 and 7"),
        ("process.execCPUAffinity", {"final": "3-1"}, "process.execCPUAffinity.final: '3-1' is no processor"),
        ("domainname", 5, "domainname: must be a string"),
        ("annotations", {"": "x"}, "annotations: must not have an empty key"),
        ("annotations", {"a": 1}, "annotations.a: must be a string"),
        ("hooks", {"poststop": [{"path": "true"}]}, "hooks.poststop[0].path: must be an absolute path"),
        ("hooks", {"prestart": [{"path": "/x", "timeout": 0}]}, "hooks.prestart[0].timeout: must be between 1 and 2147483648"),
        ("mounts.0.options", ["idmap"], "mounts[0].options: only a bind mount can be idmapped"),
        ("mounts.0.options", ["tmpcopyup"], "mounts[0].options: tmpcopyup is for a tmpfs"),
        ("mounts.0.uidMappings", [{}], "mounts[0].uidMappings[0].containerID: is missing"),
        ("linux.personality", {"domain": "BSD"}, "linux.personality.domain: unknown value 'BSD': LINUX, LINUX32"),
        ("linux.uidMappings", [{"containerID": 0, "hostID": 1, "size": 1}], "linux.uidMappings: needs a user namespace"),
        ("linux.namespaces.1", {"type": "user"}, "linux.uidMappings: must map the container's id 0: a user namespace needs a root"),
        ("linux.timeOffsets", {"boottime": {"secs": 1}}, "linux.timeOffsets: needs a new time namespace"),
        ("linux.seccomp", {"defaultAction": "SCMP_ACT_NO"}, "linux.seccomp.defaultAction: unknown value 'SCMP_ACT_NO'"),
        (
            "linux.seccomp",
            {"defaultAction": "SCMP_ACT_NOTIFY"},
            "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action",
        ),
        ("process.rlimits", [{"type": "RLIMIT_X", "soft": 1, "hard": 1}], "process.rlimits[0].type: unknown limit 'RLIMIT_X'"),
        ("process.rlimits", [{"type": "RLIMIT_CORE", "soft": 1}], "process.rlimits[0].hard: is missing"),
        ("mounts.0.destination", "", "mounts[0].destination: must not be empty"),
        ("mounts.0.destination", "/proc/..", "mounts[0].destination: must not be the root itself"),
        ("annotations", [], "annotations: must be an object"),
        ("linux.namespaces", {}, "linux.namespaces: must be an array"),
        ("linux.resources.cpu", {"shares": 1}, "linux.resources.cpu.shares: must be between 2 and 262144"),
        ("mounts.0.options", "ro", "mounts[0].options: must be an array"),
        (
            "linux.namespaces",
            [],
            "mounts: needs a mount namespace: without one the host's own mounts would change",
        ),
        ("linux.namespaces.1", {"type": "mount"}, "linux.namespaces[1].type: mount is given twice"),
        ("linux.namespaces.1", {"type": "space"}, "linux.namespaces[1].type: unknown namespace 'space'"),
        ("linux.namespaces.1", {"type": "network", "path": "x"}, "linux.namespaces[1].path: must be an absolute path"),
        (
            "linux.rootfsPropagation",
            "odd",
            "linux.rootfsPropagation: must be shared, slave, private or unbindable, or one of them with r before it",
        ),
        ("linux.resources.memory.limit", "1g", "linux.resources.memory.limit: must be an integer"),
        ("linux.resources.memory.limit", 1 << 70, "linux.resources.memory.limit: must be between -1 and 9223372036854775807"),
        ("linux.resources.pids", {}, "linux.resources.pids.limit: is missing"),
        ("linux.resources.devices", [{"allow": 1}], "linux.resources.devices[0].allow: must be true or false"),
        (
            "linux.resources.devices",
            [{"allow": True, "access": "x"}],
            "linux.resources.devices[0].access: must be made of r, w and m",
        ),
        ("linux.resources.memory.swappiness", 101, "linux.resources.memory.swappiness: must be between 0 and 100"),
        (
            "linux.resources.memory",
            {"limit": 9, "swap": 5},
            "linux.resources.memory.swap: is memory and swap together: it must not be below the limit, 9",
        ),
        ("linux.resources.cpu.cpus", "0-x", "linux.resources.cpu.cpus: must be a list of numbers and ranges, as 0-2,5"),
        ("linux.resources.cpu.idle", 2, "linux.resources.cpu.idle: must be between 0 and 1"),
        ("linux.resources.blockIO", {"weight": 65536}, "linux.resources.blockIO.weight: must be between 0 and 65535"),
        (
            "linux.resources.blockIO",
            {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]},
            "linux.resources.blockIO.throttleReadBpsDevice[0].rate: is missing",
        ),
        (
            "linux.resources.hugepageLimits",
            [{"pageSize": "big", "limit": 1}],
            "linux.resources.hugepageLimits[0].pageSize: must be a number and a unit, as 2MB or 1GB",
        ),
        (
            "linux.resources.network",
            {"priorities": [{"name": "a b", "priority": 1}]},
            "linux.resources.network.priorities[0].name: must be an interface's name",
        ),
        ("linux.resources.rdma", {"m x": {}}, "linux.resources.rdma: 'm x' is no device's name"),
        (
            "linux.resources.unified",
            {"../memory.max": "5"},
            "linux.resources.unified: '../memory.max' must be the name of a cgroup file, as memory.high",
        ),
        ("linux.resources.unified", {"memory.max": 5}, "linux.resources.unified.memory.max: must be a string"),
        ("linux.devices", [{"path": "/dev/x", "type": "z"}], "linux.devices[0].type: must be c, b, u or p"),
        ("linux.sysctl", {"kernel.panic": "1"}, "linux.sysctl.kernel.panic: is not in a separate kernel namespace"),
        ("linux.sysctl", {"net.../../x": "1"}, "linux.sysctl.net.../../x: is not in a separate kernel namespace"),
        (
            "linux.seccomp",
            {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1},
            "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW returns no number: it is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_its_key(path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        validate(changed(path, value), "config.json")
    assert str(caught.value).startswith(f"config.json: {message}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("linux.intelRdt", {"closID": "x"}),
        ("linux.netDevices", {"eth0": {}}),
        ("linux.memoryPolicy", {"mode": "MPOL_BIND"}),
    ],
)
def test_what_is_not_done_is_refused_rather_than_ignored(path: str, value: Any) -> None:
    with pytest.raises(Unsupported, match=r"^config\.json: .*not supported by this version"):
        validate(changed(path, value), "config.json")


def test_a_hostname_needs_its_own_namespace() -> None:
    document: Any = {**default_spec(), "hostname": "box"}
    document["linux"]["namespaces"] = [row for row in document["linux"]["namespaces"] if row["type"] != "uts"]
    with pytest.raises(InvalidInput, match="hostname: needs a uts namespace"):
        validate(document, "config.json")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{}", b"[" * 200_000, b'{"ociVersion": NaN}', b'{"linux": {"resources": 7}}'],
)
def test_hostile_json_is_a_clear_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(SkiffError) as caught:
        bundle.load(str(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/config.json: ")


def test_a_missing_or_enormous_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file or directory"):
        bundle.load(str(tmp_path))
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(bundle.MAX_SIZE + 1)
    with pytest.raises(InvalidInput, match="larger than 16 MiB"):
        bundle.load(str(tmp_path))


SECTIONS = (
    "root", "process", "mounts", "linux", "process.user", "process.env", "process.capabilities", "linux.namespaces",
    "linux.resources", "linux.resources.memory", "linux.resources.cpu", "linux.resources.blockIO", "linux.resources.network",
    "linux.resources.hugepageLimits", "linux.resources.rdma", "linux.resources.unified", "linux.maskedPaths", "linux.sysctl",
)  # fmt: skip
WRONG: tuple[Any, ...] = (5, "text", [5], {"x": 5}, True, [[]])


@pytest.mark.parametrize("path", SECTIONS)
@pytest.mark.parametrize("value", WRONG, ids=str)
def test_a_section_of_the_wrong_type_is_never_a_python_error(path: str, value: Any) -> None:
    document = json.loads(json.dumps(changed(path, value)))
    try:
        validate(document, "config.json")
    except SkiffError as error:
        assert str(error).startswith("config.json: ")  # noqa: PT017  # an unknown key in an object is none of its business
    else:
        assert isinstance(value, dict)
