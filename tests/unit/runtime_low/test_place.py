"""Where a container's cgroup is, by config.json and driver."""

from __future__ import annotations

import pytest

from skiff.cgroup import files, place
from skiff.errors import InvalidInput


@pytest.mark.parametrize(
    ("asked", "systemd", "expected"),
    [
        ("", False, "/skiff.slice/c1"),
        ("web/a", False, "/skiff.slice/web/a"),
        ("/web/a", False, "/web/a"),
        ("", True, ":skiff:c1"),
        ("machine.slice:libpod:abc", True, "machine.slice:libpod:abc"),
    ],
)
def test_it_is_chosen(asked: str, systemd: bool, expected: str) -> None:
    assert place.choose(asked, "c1", systemd) == expected


def test_a_scope_needs_the_systemd_driver() -> None:
    with pytest.raises(
        InvalidInput, match=r"^linux\.cgroupsPath: 'a:b:c' is for systemd's driver: give a path, or --systemd-cgroup"
    ):
        place.choose("a:b:c", "c1", systemd=False)


@pytest.mark.parametrize("asked", ["/web/a", "web", "a:b", "/a:b:c", "a:b:c:d"])
def test_the_systemd_driver_needs_a_scope(asked: str) -> None:
    with pytest.raises(InvalidInput, match=r'^expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups'):
        place.choose(asked, "c1", systemd=True)


@pytest.mark.parametrize("path", ["/", "/a/../..", "/../a", "a", "/a\0b"])
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="it must begin with /, name a group, and have no"):
        files.check_path(path)
