"""Facts, from what a host shows: hostile names among it."""

from __future__ import annotations

import pytest

from fleet.agent import facts, storage

MOUNTS = (
    "22 1 8:1 / / rw,relatime shared:1 - xfs /dev/sda1 rw\n"
    "40 22 0:44 / /home/op/a\\040\u00e9\\134040 rw - fuse.x x rw\n"
    "41 22 0:45 / /home/op/\u00a0b\r\x1cc rw - fuse.x x rw\n"
    "42 22 0:46 / /home/op/\udcff rw master:1 - tmpfs - - rw\n"
)


def test_a_mount_point_may_have_any_name() -> None:
    found = [(mount.point, mount.type) for mount in storage.parse(MOUNTS.encode("utf-8", "surrogateescape"))]
    assert found == [
        ("/", "xfs"),
        ("/home/op/a \u00e9\\040", "fuse.x"),
        ("/home/op/\u00a0b\r\x1cc", "fuse.x"),
        ("/home/op/\udcff", "tmpfs"),
    ]


@pytest.mark.parametrize(
    ("flags", "files", "told"),
    [
        ({"vmx"}, {"kvm_intel": "Y\n"}, True),
        ({"vmx"}, {"kvm_intel": "N\n"}, False),
        ({"svm"}, {"kvm_amd": "1\n"}, True),
        ({"svm"}, {"kvm_amd": "0\n"}, False),
        ({"vmx"}, {}, None),
        ({"fpu"}, {"kvm_intel": "Y\n"}, None),
    ],
)
def test_whether_a_virtual_machine_may_run_others(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], files: dict[str, str], told: bool | None
) -> None:
    monkeypatch.setattr(
        facts, "read", lambda path: files.get(path.split("/")[3], "") if path.endswith("/parameters/nested") else ""
    )
    assert facts._nested(flags) is told


def test_a_kernel_tells_the_parameters_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/proc/sys/user/max_user_namespaces": "0\n"}
    monkeypatch.setattr(facts, "read", lambda path: files.get(path, ""))
    assert facts._sysctls() == {"user.max_user_namespaces": "0"}
