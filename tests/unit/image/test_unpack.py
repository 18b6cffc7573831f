"""What layers, hostile ones among them, become on disk; nothing here needs root."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples

from skiff.errors import InvalidInput, SkiffError
from skiff.snapshot.tarstream import TarStream
from skiff.snapshot.unpack import Unpacker
from tests.unit.image.tars import directory, hardlink, member, symlink, tar


def unpack(root: Path, data: bytes) -> None:
    root.mkdir()
    unpacker = Unpacker(str(root))
    try:
        unpacker.run(TarStream(io.BytesIO(data)))
    finally:
        unpacker.close()


def tree(root: Path) -> list[str]:
    walk = ((above, [*directories, *files]) for above, directories, files in os.walk(root))
    return sorted(os.path.relpath(os.path.join(above, name), root) for above, names in walk for name in names)


HOSTILE = {
    "dot dot": [member("../out")],
    "dot dot inside": [member("a/../../out")],
    "dot dot behind the root": [member("/../out")],
    "link to itself": [symlink("a", "a"), member("a/out")],
    "links in a ring": [symlink("a", "b"), symlink("b", "/a"), member("b/out")],
    "links that multiply": [*(symlink(f"l{n}", f"l{n + 1}/l{n + 1}") for n in range(9)), symlink("l9", "."), member("l0/out")],
    "links that deepen": [symlink("a", "d/" * 120 + "."), member("a/" + "e/" * 120 + "out")],
    "link to a name that is too long": [symlink("a", "n" * 300), member("a/out")],
    "link to a file": [member("f"), symlink("a", "f"), member("a/out")],
    "through a file": [member("a"), member("a/out")],
    "hard link out": [hardlink("a", "../victim")],
    "hard link absolute": [hardlink("a", "/victim")],
    "hard link through a link": [symlink("d", ".."), hardlink("a", "d/victim")],
    "hard link to nothing": [hardlink("a", "b")],
    "hard link to a directory": [directory("d"), hardlink("a", "d")],
    "whiteout without a name": [member(".wh.")],
    "whiteout of dot dot": [member(".wh...")],
    "root that is a file": [member(".")],
    "too deep": [member("a/" * 250 + "b")],
    "too long": [member("a" * 5000)],
    "long component": [member("a" * 300)],
    "NUL in a link": [member("a", kind=tarfile.SYMTYPE, pax_headers={"linkpath": "b\0c"})],
    "NUL in the name of an xattr": [member("a", pax_headers={"SCHILY.xattr.user.a\0b": "c"})],
    "xattr without a name, of a file": [member("a", pax_headers={"SCHILY.xattr.user.": "x"})],
    "xattr without a name, of a directory": [directory("a", pax_headers={"SCHILY.xattr.user.": "x"})],
    "xattr of a long name": [member("a", pax_headers={"SCHILY.xattr.user." + "n" * 300: "x"})],
    "uid of many digits": [member("a", pax_headers={"uid": "9" * 100_000})],
    "time of many digits": [member("a", pax_headers={"mtime": "9" * 100_000})],
    "time beyond numbers": [member("a", pax_headers={"mtime": "1e999999"})],
    "time that is no number": [member("a", pax_headers={"mtime": "nan"})],
    "unknown type": [member("a", kind=b"Z")],
    "uid out of range": [member("a", uid=1 << 33)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_layer_is_refused_and_nothing_outside_is_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("here")
    with pytest.raises(InvalidInput):
        unpack(tmp_path / "root", tar(*HOSTILE[name]))
    assert [path for path in tree(tmp_path) if not path.startswith("root")] == ["victim"]
    assert (tmp_path / "victim").stat().st_nlink == 1


def test_links_of_the_layer_lead_where_they_do_in_a_container_and_never_out(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("here")
    members = [
        member("/absolute"),
        member("a/../b"),
        directory("usr/lib"),
        symlink("lib", "usr/lib"),
        member("lib/x", b"in usr"),
        hardlink("hard", "/lib/x"),
        symlink("usr/lib/up", "../../../../.."),
        member("usr/lib/up/victim"),
        symlink("root", "/"),
        member("root/etc/conf"),
        symlink("dangling", "root/made/../new"),
        directory("dangling/sub", mode=0o700, mtime=7),
        # From here on it is a directory of its own.
        directory("lib"),
        member("lib/y"),
        symlink("turns", "usr"),
        member("turns/before"),
        symlink("turns", "etc"),
        member("turns/after"),
        symlink("outside", str(tmp_path)),
        member("outside/deep"),
    ]
    root = tmp_path / "root"
    unpack(root, tar(*members))
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    below = str(tmp_path).lstrip("/")
    expected = ["absolute", "b", "etc/after", "etc/conf", "hard", "lib/y", "usr/before", "usr/lib/x", "victim", f"{below}/deep"]
    assert files == sorted(expected)
    assert (root / "hard").stat().st_ino == (root / "usr/lib/x").stat().st_ino
    assert ((root / "new/sub").stat().st_mtime, stat.S_IMODE((root / "new/sub").stat().st_mode)) == (7, 0o700)
    assert sorted(os.listdir(tmp_path)) == ["root", "victim"]
    assert (tmp_path / "victim").read_text() == "here"


def test_device_out_of_range_is_refused(tmp_path: Path) -> None:
    data = tar(member("a", kind=tarfile.CHRTYPE, devmajor=1 << 40), form=tarfile.GNU_FORMAT)
    with pytest.raises(InvalidInput):
        unpack(tmp_path / "root", data)


def test_pax_name_with_dot_dot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        unpack(tmp_path / "root", tar(member("fine", pax_headers={"path": "../out"})))


def test_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    data = tar(member("a", b"x" * 2000))[:1024]
    with pytest.raises(InvalidInput, match="unexpected EOF"):
        unpack(tmp_path / "root", data)


def test_declared_size_beyond_the_disk_is_refused_before_it_is_written(tmp_path: Path) -> None:
    header = member("a")[0]
    header.size = 1 << 60
    with pytest.raises(SkiffError, match="no space left"):
        unpack(tmp_path / "root", header.tobuf(tarfile.GNU_FORMAT))
    assert tree(tmp_path / "root") == []


def test_extended_header_of_great_size_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    with pytest.raises(InvalidInput, match="extended header"):
        unpack(tmp_path / "root", header.tobuf(tarfile.GNU_FORMAT))


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 1024, b"short", tar(member("a", pax_headers={"mtime": "never"})), tar(member("a", pax_headers={"uid": "-1"}))],
)
def test_garbage_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        unpack(tmp_path / "root", data)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([member("./a", b"1"), member("a", b"22")], {"a": "22"}),
        ([directory("a"), member("a/b"), member("a", b"3")], {"a": "3"}),
        ([member("a", b"1"), directory("a"), member("a/b", b"2")], {"a/b": "2"}),
        ([symlink("a", "/etc/passwd"), member("a", b"4")], {"a": "4"}),
        ([member("a", b"5"), hardlink("b", "./a"), member("a", b"6")], {"a": "6", "b": "5"}),
        ([directory("d"), member("d/x"), directory("d/e"), member("d/e/y"), member("d", b"7")], {"d": "7"}),
        ([member("d/e/f", b"1"), member("d"), directory("d"), member("d/e/g", b"8")], {"d/e/g": "8"}),
        ([member("\udcff\n", b"9")], {"\udcff\n": "9"}),
    ],
)
def test_the_later_entry_counts(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], expected: dict[str, str]) -> None:
    root = tmp_path / "root"
    unpack(root, tar(*members, form=tarfile.GNU_FORMAT))
    files = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert files == expected


MEMBERS = [
    directory("d", mode=0o700),
    member("d/f", b"x" * 700, pax_headers={"SCHILY.xattr.user.a": "b", "mtime": "1.5"}),
    symlink("l", "d"),
    member("l/g", b"y"),
    hardlink("h", "l/f"),
    member("n" * 120, b"z"),
    member("s", b"1\n0\n5\n".ljust(512, b"\0") + b"12345", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    member("p", kind=tarfile.FIFOTYPE),
    member(".wh.gone"),
]
FORMS = [tar(*MEMBERS, form=form) for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    data=sampled_from(FORMS),
    changes=lists(tuples(integers(0, 1 << 14), integers(0, 255)), min_size=1, max_size=6),
    sums=booleans(),
)
def test_whatever_is_changed_in_a_layer_it_is_unpacked_or_refused(data: bytes, changes: list[tuple[int, int]], sums: bool) -> None:
    changed = bytearray(data)
    for position, value in changes:
        changed[position % len(changed)] = value
    for start in range(0, len(changed), 512) if sums else ():
        # A header's checksum, that the rest of it is read at all.
        if changed[start + 257 : start + 262] == b"ustar":
            total = sum(changed[start : start + 148]) + 256 + sum(changed[start + 156 : start + 512])
            changed[start + 148 : start + 156] = b"%06o\0 " % total
    with tempfile.TemporaryDirectory() as place, contextlib.suppress(SkiffError):
        unpack(Path(place) / "root", bytes(changed))


def test_metadata(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpack(
        root,
        tar(
            directory("d", mode=0o1770, mtime=1000),
            member("d/suid", b"abc", mode=0o4755, pax_headers={"mtime": "1234567890.123456789"}),
            symlink("d/link", "/nowhere"),
            member("d/fifo", kind=tarfile.FIFOTYPE, mode=0o640),
            member("implied/file", b"x"),
            member("n" * 150 + "/" + "m" * 150, b"long"),
        ),
    )
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o1770
    assert (root / "d").stat().st_mtime == 1000
    assert stat.S_IMODE((root / "d/suid").stat().st_mode) == 0o4755
    assert (root / "d/suid").stat().st_mtime_ns == 1234567890123456789
    assert os.readlink(root / "d/link") == "/nowhere"
    assert stat.S_ISFIFO((root / "d/fifo").stat().st_mode)
    assert stat.S_IMODE((root / "implied").stat().st_mode) == 0o755
    assert (root / ("n" * 150) / ("m" * 150)).read_text() == "long"


def test_overlays_own_marks_are_not_taken_from_a_layer(tmp_path: Path) -> None:
    names = ["trusted.overlay.redirect", "user.overlay.redirect", "security.selinux"]
    unpack(tmp_path / "root", tar(member("a", pax_headers={f"SCHILY.xattr.{name}": "/../.." for name in names})))
    assert not set(os.listxattr(tmp_path / "root/a")) & {"trusted.overlay.redirect", "user.overlay.redirect"}
