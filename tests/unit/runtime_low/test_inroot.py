"""Paths inside a hostile root, by openat2 and by the walk that stands in for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Iterator

import pytest

from skiff.errors import SkiffError, SyscallError
from skiff.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from skiff.oci import inroot

Opener = Callable[[int, bytes], int]


def by_openat2(root: int, path: bytes) -> int:
    return openat2(root, path.lstrip(b"/") or b".", os.O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def by_walk(root: int, path: bytes) -> int:
    return inroot.walk(root, path, os.O_PATH)


@pytest.fixture(params=[by_openat2, by_walk])
def opener(request: pytest.FixtureRequest) -> Opener:
    found: Opener = request.param
    if found is by_openat2:
        try:
            os.close(found(os.open("/", os.O_PATH), b"."))
        except SkiffError as error:
            pytest.skip(str(error))
    return found


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A root beside a secret."""
    (tmp_path / "secret").write_text("outside")
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_text("inside")
    (inside / "secret").write_text("inside")
    for name, target in (
        ("up", "../secret"), ("far", "../../../../../../../../../../secret"), ("absolute", "/secret"), ("loop", "loop"),
        ("chain", "a/b/back"), ("a/b/back", "../file"), ("here", "."), ("dangling", "/made/later"),
    ):  # fmt: skip
        (inside / name).symlink_to(target)
    fd = os.open(inside, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    "path",
    [
        b"/secret",
        b"secret",
        b"../secret",
        b"a/../../../secret",
        b"up",
        b"far",
        b"absolute",
        b"chain",
        b"here/here/a/file",
        b"//a//./file",
    ],
)
def test_every_way_leads_to_a_file_inside(opener: Opener, root: int, path: bytes) -> None:
    fd = opener(root, path)
    assert Path(f"/proc/self/fd/{fd}").read_text() == "inside"
    os.close(fd)


@pytest.mark.parametrize("path", [b"loop", b"nosuch", b"a/file/x", b"dangling", b"a/b/nosuch/x"])
def test_what_leads_nowhere_is_an_error_and_leaks_nothing(opener: Opener, root: int, path: bytes) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SyscallError):
        opener(root, path)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("path", "made"), [(b"/x/y/z", "x/y/z"), (b"up2/z", "up2/z"), (b"dangling/z", "made/later/z"), (b"../../q", "q")]
)
def test_missing_directories_are_made_inside(tmp_path: Path, root: int, path: bytes, made: str) -> None:
    os.close(inroot.make_directory(root, path))
    assert (tmp_path / "root" / made).is_dir()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["root", "secret"]


def test_links_can_be_forbidden(root: int) -> None:
    for path in (b"here/a", b"absolute"):
        with pytest.raises(SyscallError):
            inroot.open_path(root, path, links=False)
    os.close(inroot.open_path(root, b"a/file", links=False))


def test_a_missing_file_is_made_and_a_present_one_kept(tmp_path: Path, root: int) -> None:
    os.close(inroot.make_file(root, b"/new/dir/file"))
    assert (tmp_path / "root" / "new" / "dir" / "file").read_bytes() == b""
    os.close(inroot.make_file(root, b"/a/file"))
    assert (tmp_path / "root" / "a" / "file").read_text() == "inside"


def test_only_regular_files_are_read_and_only_so_far(tmp_path: Path, root: int) -> None:
    os.mkfifo(tmp_path / "root" / "fifo")
    (tmp_path / "root" / "zero").symlink_to("/dev/zero")
    assert inroot.read_file(root, b"/a/file", 3) == b"ins"
    for path in (b"/fifo", b"/a", b"/zero", b"/nosuch", b"/loop"):
        assert inroot.read_file(root, path, 100) == b""
