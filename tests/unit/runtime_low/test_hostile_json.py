"""Documents of every kind as config.json: each is a valid specification or refused in words, also when it is planned."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiff.errors import SkiffError
from skiff.oci import bundle, rootfs
from skiff.oci.process import ProcessPlan
from skiff.spec.defaults import default_spec
from skiff.spec.validate import validate

NUMBERS = st.integers() | st.sampled_from([-1, 0, 2**31, 2**32, 2**63, 2**64, 10**400]) | st.floats(allow_nan=True)
WORDS = st.text(max_size=8) | st.sampled_from(
    ["", "/", "/proc/../..", "\0", "/a\0b", "\ud800", "CAP_SYS_ADMIN", "a=b", "bind", "proc"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def places(document: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every part of a document."""
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [way, *(place for key in keys for place in places(document[key], (*way, key)))]


def full() -> dict[str, Any]:
    """Every part that a specification may have."""
    spec: dict[str, Any] = copy.deepcopy(dict(default_spec()))
    spec["process"] |= {"user": {"uid": 1, "gid": 1, "umask": 18, "additionalGids": [5]}, "consoleSize": {"height": 1, "width": 1}}
    spec["process"] |= {
        "scheduler": {"policy": "SCHED_OTHER", "nice": 1},
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
    }
    spec["process"]["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    spec["hooks"] = {"prestart": [{"path": "/x", "args": ["x"], "env": ["A=b"], "timeout": 1}], "poststop": []}
    spec["annotations"] = {"a": "b"}
    spec["linux"]["devices"] = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}]
    spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    spec["linux"]["resources"] = {
        "memory": {"limit": 1 << 24, "swap": 1 << 25},
        "cpu": {"shares": 2, "quota": 1000, "period": 1000, "cpus": "0"},
        "pids": {"limit": 3},
        "blockIO": {"weight": 10},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
        "devices": [{"allow": False, "access": "rwm"}],
        "unified": {"memory.high": "max"},
    }
    spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            {"names": ["x"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
        ],
    }
    return spec


FULL = full()
PLACES = places(FULL)
COMMON = settings(max_examples=200)


def planned(document: Any) -> None:
    """What a create makes of it before it touches anything."""
    try:
        spec = validate(document, "config.json")
        ProcessPlan(spec["process"])
        rootfs.plan(spec, "/bundle", rootfs.Circumstances([], []))
    except SkiffError:
        return


def test_the_full_one_is_valid() -> None:
    validate(copy.deepcopy(FULL), "config.json")


@COMMON
@given(st.sampled_from(PLACES[1:]), VALUES)
def test_any_part_replaced_by_anything(place: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(FULL)
    target: Any = document
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    planned(document)


@COMMON
@given(VALUES)
def test_any_document(document: Any) -> None:
    planned(document)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\0" * 100, b"\xff\xfe", b"[" * 1_000_000, b'{"a":' * 1_000_000, b"9" * 1_000_000, b'{"ociVersion": NaN}',
        b'"\\ud800"', b"\xef\xbb\xbf{}", b'{"a": 1e999999}', b"[" + b"9" * 10_000 + b"]", b"null", b"{}{}",
    ],
    ids=range(13),
)  # fmt: skip
def test_any_bytes(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(SkiffError, match=str(tmp_path)):
        bundle.load(str(tmp_path))


def test_ten_megabytes_are_read_and_more_than_sixteen_refused(tmp_path: Path) -> None:
    document = {**copy.deepcopy(FULL), "annotations": {"a": "b" * (10 << 20)}}
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert len(bundle.load(str(tmp_path))["annotations"]["a"]) == 10 << 20
    (tmp_path / "config.json").write_text(json.dumps(document) + " " * (7 << 20))
    with pytest.raises(SkiffError, match="larger than 16 MiB"):
        bundle.load(str(tmp_path))
