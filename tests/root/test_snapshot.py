"""Snapshots mounted by the kernel, and layers compared with what GNU tar makes of them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skiff.errors import Conflict, InvalidInput, NotFound, SkiffError
from skiff.image import load
from skiff.image.store import ImageStore
from skiff.linux.libc import LIBC, check
from skiff.snapshot import space
from skiff.snapshot.overlay import Mount, Overlay
from tests.unit.image.tars import Layout, digest, directory, docker_archive, member, symlink, tar

MNT_DETACH = 2
Mounter = Callable[[list[Mount]], Path]


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    return Overlay(str(tmp_path / "root"))


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounter]:
    targets: list[Path] = []

    def mount(mounts: list[Mount]) -> Path:
        target = tmp_path / f"merged{len(targets)}"
        target.mkdir()
        for one in mounts:
            options = ",".join(one["options"]).encode()
            result = LIBC.mount(one["source"].encode(), os.fsencode(target), one["type"].encode(), 0, options)
            if result < 0 and os.geteuid() != 0:
                pytest.skip("mount(2) of an overlay is not permitted")
            check(result, "mount", str(target))
        targets.append(target)
        return target

    yield mount
    for target in targets:
        check(LIBC.umount2(os.fsencode(target), MNT_DETACH), "umount2", str(target))


def stack(overlay: Overlay, *layers: bytes) -> list[str]:
    chain: list[str] = []
    for layer in layers:
        chain.append(overlay.layers.unpack(chain, digest(layer), io.BytesIO(layer)).chain)
    return chain


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


LOWER = tar(
    directory("d", mode=0o1777, uid=5, gid=6),
    member("d/gone", b"1"),
    member("d/stays", b"2"),
    directory("o"),
    member("o/hidden"),
    directory("r"),
    member("r/hidden"),
    directory("lib"),
    symlink("link", "lib"),
)


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([member("d/.wh.gone"), member("d/new")], ["d", "d/new", "d/stays", "lib", "link", "o", "o/hidden", "r", "r/hidden"]),
        ([member("o/.wh..wh..opq"), member("o/new")], ["d", "d/gone", "d/stays", "lib", "link", "o", "o/new", "r", "r/hidden"]),
        (
            [member(".wh.o"), directory("o"), member("o/new")],
            ["d", "d/gone", "d/stays", "lib", "link", "o", "o/new", "r", "r/hidden"],
        ),
        (
            [directory("o"), member("o/new"), member(".wh.o")],
            ["d", "d/gone", "d/stays", "lib", "link", "o", "o/new", "r", "r/hidden"],
        ),
        ([member(".wh.o"), member("o/p/new")], ["d", "d/gone", "d/stays", "lib", "link", "o", "o/p", "o/p/new", "r", "r/hidden"]),
        ([member(".wh..wh..opq"), member("only")], ["only"]),
        ([member(".wh.d"), member(".wh.o"), member(".wh.r"), member(".wh.lib"), member(".wh..wh.plnk")], ["link"]),
        ([member("d"), member(".wh.o"), member(".wh.r")], ["d", "lib", "link"]),
    ],
)
def test_whiteouts_hide_what_lies_below(
    overlay: Overlay, mounted: Mounter, upper: list[tuple[tarfile.TarInfo, bytes]], expected: list[str]
) -> None:
    merged = mounted(overlay.prepare("c", stack(overlay, LOWER, tar(*upper))))
    assert tree(merged) == expected


def test_directory_that_a_layer_does_not_name_keeps_mode_and_owner(overlay: Overlay, mounted: Mounter) -> None:
    root = tar(directory("./", mode=0o751, uid=7))
    merged = mounted(overlay.prepare("c", stack(overlay, LOWER, root, tar(member("d/new")))))
    found = (merged / "d").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o1777, 5, 6)
    found = merged.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o751, 7)


def test_snapshots_are_written_apart(overlay: Overlay, mounted: Mounter) -> None:
    chain = stack(overlay, LOWER)
    first, second = mounted(overlay.prepare("c1", chain)), mounted(overlay.prepare("c2", chain))
    (first / "d/stays").write_text("changed")
    (first / "d/gone").unlink()
    assert (second / "d/stays").read_text() == "2"
    assert (second / "d/gone").exists()
    assert overlay.usage("c1").size == len("changed")
    assert overlay.usage("c2").size == 0


def test_view_is_read_only(overlay: Overlay, mounted: Mounter) -> None:
    merged = mounted(overlay.view("v", stack(overlay, LOWER)))
    assert (merged / "d/stays").read_text() == "2"
    with pytest.raises(OSError, match="Read-only"):
        (merged / "new").write_text("x")


def test_empty_chain(overlay: Overlay, mounted: Mounter) -> None:
    merged = mounted(overlay.prepare("c", []))
    (merged / "a").write_text("x")
    assert tree(merged) == ["a"]


def test_128_layers_fit_a_page_under_the_default_data_root() -> None:
    root = Path(f"/var/lib/skt{os.getpid() % 100:02d}")
    assert not root.exists()
    try:
        overlay = Overlay(str(root))
        chain = stack(overlay, *(tar(member(f"f{number}", b"x")) for number in range(128)))
        key = "c" * 64
        options = ",".join(overlay.prepare(key, chain)[0]["options"])
        assert len(options) < 4096
        target = root / "merged"
        target.mkdir()
        check(LIBC.mount(b"overlay", os.fsencode(target), b"overlay", 0, options.encode()), "mount")
        try:
            assert len(list(target.iterdir())) == 128
        finally:
            check(LIBC.umount2(os.fsencode(target), MNT_DETACH), "umount2")
    finally:
        shutil.rmtree(root)


def test_options_that_do_not_fit_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    overlay = Overlay(str(tmp_path / ("long" * 30)))
    with pytest.raises(InvalidInput, match="choose a shorter data-root"):
        overlay.prepare("c", stack(overlay, *(tar(member(f"f{number}")) for number in range(40))))
    assert overlay.keys() == []


def test_full_disk_is_told_and_nothing_stays(tmp_path: Path) -> None:
    check(LIBC.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"size=3m"), "mount")
    try:
        for size in (5 << 20, 2 << 20):
            # The first does not fit once, the second fits as a blob but not as files beside it.
            store = ImageStore(str(tmp_path / "root"))
            data = docker_archive([tar(member("a", os.urandom(size // 2)), member("b", os.urandom(size // 2)))], ["a:b"])
            with pytest.raises(SkiffError, match="no space left on device"):
                list(load.load(store, io.BytesIO(data)))
            assert not store.list()
            assert not store.content.digests()
            assert not store.snapshots.layers.chains()
            assert os.listdir(store.snapshots.layers.ingest) == []
    finally:
        check(LIBC.umount2(os.fsencode(tmp_path), MNT_DETACH), "umount2")


def test_snapshot_is_removed_from_a_full_disk(tmp_path: Path) -> None:
    check(LIBC.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"size=4m,nr_inodes=60"), "mount")
    try:
        overlay = Overlay(str(tmp_path / "root"))
        overlay.prepare("c", [])
        for number in range(os.statvfs(tmp_path).f_favail):
            Path(overlay.layers.root, f"active/c/upper/{number}").touch()
        with pytest.raises(OSError, match="No space left"):
            Path(overlay.layers.root, "active/c/upper/more").touch()
        overlay.remove("c")
        assert (overlay.keys(), os.listdir(overlay.layers.ingest)) == ([], [])
    finally:
        check(LIBC.umount2(os.fsencode(tmp_path), MNT_DETACH), "umount2")


ZEROS = 100 << 20
BOMBS: dict[str, Callable[[], bytes]] = {
    "archive": lambda: gzip.compress(docker_archive([tar(member("a", bytes(ZEROS)))], ["a:b"]), 1),
    "layer": lambda: compressed_layer(tar(member("a", bytes(ZEROS)))),
    "many small files": lambda: compressed_layer(tar(*(member(f"f{number}", b"x") for number in range(3000)))),
    "many directories": lambda: compressed_layer(tar(*(directory(f"d{number}") for number in range(5000)))),
}


def compressed_layer(layer: bytes) -> bytes:
    layout = Layout()
    return layout.archive([layout.image([layer])])


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: str) -> None:
    data = BOMBS[bomb]()
    check(LIBC.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"size=8m,nr_inodes=4000"), "mount")
    real, least, inodes = space.need, [8 << 20], [4000]

    def watching(place: str, size: int, purpose: str) -> None:
        real(place, size, purpose)
        least.append(shutil.disk_usage(tmp_path).free - size)
        inodes.append(os.statvfs(tmp_path).f_favail)

    monkeypatch.setattr(space, "need", watching)
    try:
        store = ImageStore(str(tmp_path / "root"))
        with pytest.raises(SkiffError, match=r"no space left on device: .* in reserve, .* are free"):
            list(load.load(store, io.BytesIO(data)))
        assert min(least) >= (8 << 20) // space.RESERVE_PART
        assert min(inodes) >= 4000 // space.RESERVE_PART
        assert os.listdir(store.snapshots.layers.ingest) == []
        store.recover()
        assert shutil.disk_usage(tmp_path).used < 100_000
    finally:
        check(LIBC.umount2(os.fsencode(tmp_path), MNT_DETACH), "umount2")


def test_refusals(overlay: Overlay, tmp_path: Path) -> None:
    chain = stack(overlay, LOWER)
    overlay.prepare("c", chain)
    with pytest.raises(Conflict):
        overlay.prepare("c", chain)
    with pytest.raises(NotFound):
        overlay.prepare("d", [digest(b"nosuch")])
    with pytest.raises(NotFound):
        overlay.mounts("d")
    for key in ("../c", "", ".", "a/b"):
        with pytest.raises(InvalidInput):
            overlay.remove(key)
    with pytest.raises(InvalidInput, match="colon"):
        Overlay(str(tmp_path / "a:b"))
    overlay.remove("c")
    overlay.remove("c")
    assert overlay.collect([]) == chain


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """All that tar tells of a tree."""
    found: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, str] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        name = str(path.relative_to(root))
        content: object = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else status.st_rdev
        xattrs = {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
        first = name if stat.S_ISDIR(status.st_mode) else inodes.setdefault(status.st_ino, name)
        found[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content, xattrs, first)
    return found


@pytest.mark.parametrize("form", ["pax", "gnu"])
def test_a_layer_is_what_gnu_tar_makes_of_it(overlay: Overlay, tmp_path: Path, form: str) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    (source / "d" / ("n" * 200)).mkdir(parents=True)
    (source / "d/suid").write_bytes(os.urandom(100_000))
    os.chown(source / "d/suid", 3_000_000, 12)
    (source / "d/suid").chmod(0o6755)
    os.setxattr(source / "d/suid", "user.note", b"\0\xffvalue")
    # cap_net_raw, as `setcap` writes it.
    os.setxattr(source / "d/suid", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.link(source / "d/suid", source / "hard")
    (source / "soft").symlink_to("/d/" + "x" * 150)
    os.mkfifo(source / "fifo", 0o640)
    os.mknod(source / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(source / "block", 0o660 | stat.S_IFBLK, os.makedev(7, 200))
    (source / os.fsdecode(b"bytes\xff\n")).write_bytes(b"")
    (source / "d").chmod(0o1775)
    archive = tmp_path / "layer.tar"
    xattrs = ["--xattrs", "--xattrs-include=*"] if form == "pax" else []
    subprocess.run(["tar", f"--format={form}", "--numeric-owner", *xattrs, "-C", source, "-cf", archive, "."], check=True)
    other.mkdir()
    subprocess.run(["tar", "--numeric-owner", "--same-owner", "-p", *xattrs, "-C", other, "-xf", archive], check=True)
    data = archive.read_bytes()
    [chain] = stack(overlay, data)
    assert facts(Path(overlay.layers.files(chain))) == facts(other)
