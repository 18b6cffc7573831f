"""Trees that a container made to be hard to remove or to count."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from skiff.image.store import ImageStore
from skiff.snapshot import deletion, overlay, usage

DEPTH = 3000


def deep(directory: Path, depth: int = DEPTH) -> None:
    """Directories in each other, a file in the last; their path is far too long for one call."""
    fd = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that is gone afterwards: pytest cannot remove deep ones."""
    yield tmp_path
    for name in os.listdir(tmp_path):
        deletion.remove_tree(str(tmp_path / name))


def test_deep_tree(place: Path) -> None:
    top = place / "top"
    (top / ".removing-1").mkdir(parents=True)
    (top / ".removing-1/x").write_text("taken name")
    (top / "b/c").mkdir(parents=True)
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (top / "b/link").symlink_to(outside)
    deep(top)
    deletion.remove_tree(str(top))
    assert sorted(path.name for path in place.rglob("*")) == ["kept", "outside"]


def test_what_is_not_there_is_removed(tmp_path: Path) -> None:
    deletion.remove_tree(str(tmp_path / "nosuch"))
    assert deletion.discard(str(tmp_path / "nosuch")) is None


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    with pytest.raises(OSError, match="link"):
        deletion.remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "kept").is_dir()


def resist(monkeypatch: pytest.MonkeyPatch, stubborn: bytes) -> None:
    """An immutable file, as the kernel answers for it."""
    real = os.unlink

    def unlink(name: object, **fields: int) -> None:
        if name == stubborn:
            raise PermissionError(1, "Operation not permitted", name)
        real(name, **fields)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setattr(os, "unlink", unlink)


def test_what_resists_is_told_and_the_rest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/b/c", "z"):
        (tmp_path / "top" / name).mkdir(parents=True)
        (tmp_path / "top" / name / "file").write_text("x")
    (tmp_path / "top/a/stubborn").write_text("x")
    resist(monkeypatch, b"stubborn")
    assert deletion.sweep(str(tmp_path)) == [f"cannot remove {tmp_path}/top: Operation not permitted"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["stubborn"]
    monkeypatch.undo()
    assert deletion.sweep(str(tmp_path)) == []
    assert not list(tmp_path.iterdir())


def test_deep_root_of_a_container_is_counted_and_removed(place: Path) -> None:
    snapshots = overlay.Overlay(str(place / "root"))
    snapshots.prepare("c1", [])
    deep(Path(snapshots.layers.root, "active/c1/upper"))
    assert snapshots.usage("c1") == usage.Usage(0, DEPTH + 2)
    snapshots.remove("c1")
    assert os.listdir(snapshots.layers.ingest) == []


def test_litter_never_keeps_a_store_from_opening(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore(str(place / "root"))
    deep(Path(store.snapshots.layers.ingest))
    half = Path(store.snapshots.layers.root, "active/half/upper")
    half.mkdir(parents=True)
    (half / "stubborn").write_text("x")
    (place / "root/content/ingest/directory").mkdir()
    resist(monkeypatch, b"stubborn")
    left = store.recover()
    assert len(left) == 2
    assert "content/ingest/directory" in left[0]
    assert left[1].endswith("Operation not permitted")
    monkeypatch.undo()
    (place / "root/content/ingest/directory").rmdir()
    assert store.recover() == []


def test_size_counts_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").write_text("12345")
    os.link(tmp_path / "a/file", tmp_path / "a/b/again")
    (tmp_path / "a/b/link").symlink_to("/etc")
    (tmp_path / "c").write_text("123")
    assert usage.measure(str(tmp_path)) == usage.Usage(8 + len("/etc"), 6)


@pytest.mark.parametrize("at", range(3, 7))
def test_counting_does_not_leave_a_tree_that_is_moved_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    for name in ("a", "b"):
        (tmp_path / "top" / name / "below").mkdir(parents=True)
        (tmp_path / "other" / name).mkdir(parents=True)
        (tmp_path / "other" / name / "secret").write_text("not ours")
    real, calls = os.open, []

    def moving(path: str, flags: int, *, dir_fd: Optional[int] = None) -> int:
        calls.append(path)
        if len(calls) == at:
            # The directory in which the walk is, or above it: calls[0] opened the top.
            os.rename(tmp_path / "top" / calls[1], tmp_path / "other/moved")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", moving)
    assert usage.measure(str(tmp_path / "top")).size == 0
    assert len(calls) >= at


def test_tree_that_is_removed_while_it_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top/a/b").mkdir(parents=True)
    real = os.open

    def removing(path: str, flags: int, *, dir_fd: Optional[int] = None) -> int:
        if path == "..":
            deletion.remove_tree(str(tmp_path / "top"))
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", removing)
    assert usage.measure(str(tmp_path / "top")).inodes == 3
