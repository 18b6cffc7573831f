"""Files with holes, as GNU tar stores them in each of its forms."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Union

import pytest

from skiff.errors import InvalidInput
from skiff.image.archive import Archive
from skiff.snapshot.tarstream import TarStream
from tests.unit.image.tars import member, tar
from tests.unit.image.test_unpack import unpack

BLOCK = 4096
FORMS = {
    "gnu": ["--format=gnu"],
    "pax 0.0": ["--format=pax", "--sparse-version=0.0"],
    "pax 0.1": ["--format=pax", "--sparse-version=0.1"],
    "pax 1.0": ["--format=pax", "--sparse-version=1.0"],
}


def holed(path: Path, parts: int, end: int) -> None:
    """A file with data at every tenth block, and a size."""
    with path.open("wb") as file:
        for number in range(parts):
            file.seek(number * 10 * BLOCK)
            file.write(os.urandom(BLOCK))
        file.truncate(end)


def packed(source: Path, *options: str) -> bytes:
    command = ["tar", "--sparse", *options, "-C", str(source), "-cf", "-", "."]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("form", FORMS)
def test_every_form(tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for parts in (0, 1, 3, 4, 5, 24, 25, 26, 120):
        holed(source / f"{parts} and a hole", parts, 4 << 20)
        holed(source / f"{parts}{'n' * 120}", parts, max(0, parts - 1) * 10 * BLOCK + BLOCK)
    (source / "plain").write_text("after")
    unpack(tmp_path / "root", packed(source, *FORMS[form]))
    for path in source.iterdir():
        assert (tmp_path / "root" / path.name).read_bytes() == path.read_bytes(), path.name
    hole = tmp_path / "root/3 and a hole"
    assert hole.stat().st_blocks * 512 < 1 << 20 < hole.stat().st_size


def test_holes_in_the_archive_itself_are_refused_with_the_way_out(tmp_path: Path) -> None:
    holed(tmp_path / "layer.tar", 1, 1 << 20)
    data = packed(tmp_path, "--format=gnu")
    with pytest.raises(InvalidInput, match="write the archive without --sparse"):
        Archive(io.BytesIO(data), str(tmp_path))


def old(size: int, *pairs: tuple[Union[int, bytes], Union[int, bytes]], stored: bytes = b"", more: int = 0) -> bytes:
    """A header of GNU's old form, and the data."""
    block = bytearray(tarfile.TarInfo("f").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[124:136] = b"%011o\0" % len(stored)
    for number, pair in enumerate(pairs):
        for index, value in enumerate(pair):
            at = 386 + 24 * number + 12 * index
            block[at : at + 12] = value.ljust(12, b"\0") if isinstance(value, bytes) else b"%011o\0" % value
    block[482] = more
    block[483:495] = b"%011o\0" % size
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    return bytes(block) + stored + bytes(-len(stored) % 512) + bytes(1024)


def pax(data: bytes = b"", **records: str) -> bytes:
    return tar(member("f", data, pax_headers={f"GNU.sparse.{key}": value for key, value in records.items()}))


HOSTILE = {
    "parts over each other": old(1000, (0, 10), (5, 10), stored=b"x" * 20),
    "parts in disorder": old(1000, (500, 10), (0, 10), stored=b"x" * 20),
    "part beyond the end": old(10, (5, 10), stored=b"x" * 10),
    "more parts than data": old(1000, (0, 600), stored=b"x" * 10),
    "more data than parts": old(1000, (0, 10), stored=b"x" * 600),
    "number that is none": old(1000, (b"zz", 10), stored=b"x" * 10),
    "negative number": old(1000, (b"-5", 10), stored=b"x" * 10),
    "negative length": old(1000, (0, b"-5"), stored=b""),
    "huge number": old(1000, (b"\x80" + b"\xff" * 11, 10), stored=b"x" * 10),
    "ends in its map": old(1000, (0, 10), more=1)[:512],
    "map without an end": old(1000, more=1)[:512] + (b"00000000000\0" * 42 + b"\1" * 8) * 4000,
    "odd list": pax(b"x" * 10, size="100", map="0,10,20", major="0", minor="1"),
    "list of words": pax(b"x" * 10, size="100", map="a,b", major="0", minor="1"),
    "no size": pax(b"x" * 10, map="0,10"),
    "size beyond all files": pax(b"x" * 10, size="9" * 30, map="0,10"),
    "unknown form": pax(b"x" * 10, size="100", map="0,10", major="2", minor="0"),
    "no map in the data": pax(b"x" * 10, major="1", minor="0", realsize="100"),
    "map in the data that has no numbers": pax(b"x" * 1024, major="1", minor="0", realsize="100"),
    "map in the data that claims too much": pax(b"99999999999\n" + b"1\n" * 600, major="1", minor="0", realsize="100"),
    "map in the data longer than the member": pax(b"2\n0\n", major="1", minor="0", realsize="100") + bytes(10000),
    "directory": tar(member("f", kind=tarfile.DIRTYPE, pax_headers={"GNU.sparse.size": "10"})),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_maps_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"invalid tar header|unexpected EOF"):
        for _ in TarStream(io.BytesIO(HOSTILE[name])):
            pass


def test_a_well_made_old_header_is_read() -> None:
    stream = TarStream(io.BytesIO(old(1000, (0, 10), (990, 10), stored=b"0123456789" * 2)))
    [entry] = [(one.size, one.stored, list(stream.data())) for one in stream]
    assert entry == (1000, 20, [(0, b"0123456789"), (990, b"0123456789")])
