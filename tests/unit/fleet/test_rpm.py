"""RPM files on the control machine: read by their own headers, refused where they are not whole, each directory once a run."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Callable, Dict, List, Optional, Union

import pytest

from fleet import rpm
from fleet.content import Content
from fleet.errors import UsageError
from fleet.inventory.document import Entry
from fleet.inventory.model import Host
from fleet.run import built

Tags = Dict[int, Union[str, bytes]]


def header(tags: Tags) -> bytes:
    table, store = b"", b""
    for tag, value in tags.items():
        form, data = (7, value) if isinstance(value, bytes) else (6, value.encode() + b"\0")
        table += struct.pack(">IIII", tag, form, len(store), len(data) if form == 7 else 1)
        store += data
    return struct.pack(">4s4sII", b"\x8e\xad\xe8\x01", bytes(4), len(tags), len(store)) + table + store


def package(name: str = "docker-ce", release: str = "1.el9", payload: bytes = b"payload", old: bool = False, **more: str) -> bytes:
    """An RPM's bytes: `old` has what those of release 7 have to be checked by."""
    tags: Tags = {1000: name, 1001: more.get("version", "26.1.4"), 1002: release, 1022: more.get("arch", "x86_64")}
    tags[1044] = more.get("source", "docker-ce.src.rpm")
    if not tags[1044]:
        del tags[1044]
    if not old:
        tags[5092] = hashlib.sha256(payload).hexdigest()
    body = header(tags)
    signature = header({1004: hashlib.md5(body + payload).digest()} if old else {})
    return b"\xed\xab\xee\xdb" + bytes(92) + signature + bytes(-len(signature) % 8) + body + payload


@pytest.mark.parametrize("old", [False, True])
def test_what_a_package_is(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "any-name.rpm"
    path.write_bytes(package(payload=b"x" * (3 << 20), old=old))
    assert rpm.read(path) == rpm.Rpm("docker-ce", "26.1.4", "1.el9", "x86_64", Content.from_file(path))


def test_source_packages_and_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.rpm").write_bytes(package("a"))
    (tmp_path / "b.src.rpm").write_bytes(package("b", source=""))
    (tmp_path / "gpg").write_text("key")
    assert [one.name for one in rpm.read_directory(tmp_path)] == ["a"]


def damaged(data: bytes, at: Optional[int]) -> bytes:
    return data if at is None else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut short"),
        (b"no rpm at all" * 20, "does not begin like one"),
        (package()[:-1], "damaged or cut short"),
        (package() + b"more", "damaged or cut short"),
        (damaged(package(), -1), "damaged or cut short"),
        (damaged(package(old=True), -1), "damaged or cut short"),
        (damaged(package(old=True), -20), "damaged or cut short"),
        (package()[:150], "cut short"),
        (damaged(package(), 96), "header of it is damaged"),
        (package()[:104] + b"\xff" * 8 + package()[112:], "header of it is damaged"),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x.rpm").write_bytes(data)
    with pytest.raises(UsageError) as raised:
        rpm.read_directory(tmp_path)
    assert str(tmp_path / "x.rpm") in raised.value.brief
    assert said in raised.value.brief


@pytest.mark.parametrize("length", range(0, len(package()), 7))
def test_cut_anywhere_it_is_refused_in_words(tmp_path: Path, length: int) -> None:
    (tmp_path / "x.rpm").write_bytes(package()[:length])
    with pytest.raises(UsageError):
        rpm.read_directory(tmp_path)


def host(name: str, file: Path, directory: str) -> Host:
    return Host(name, name, variables={"docker_rpms": Entry(directory, file, 3, f"hosts.{name}.docker_rpms")})


def test_a_directory_is_read_once_for_all_hosts_and_beside_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rpms").mkdir()
    (tmp_path / "rpms" / "a.rpm").write_bytes(package("a"))
    read: List[Path] = []

    def noted(path: Path, own: Callable[[Path], Optional[rpm.Rpm]] = rpm.read) -> Optional[rpm.Rpm]:
        read.append(path)
        return own(path)

    monkeypatch.setattr(rpm, "read", noted)
    hosts = [*(host(f"h{number}", tmp_path / "hosts.yml", "rpms") for number in range(50)), Host("none", "none")]
    found = built.rpms(hosts)
    assert read == [tmp_path / "rpms" / "a.rpm"]
    assert len({id(built.rpms_of(one, found)[0].content) for one in hosts[:-1]}) == 1
    assert built.rpms_of(hosts[-1], found) == ()


@pytest.mark.parametrize(("directory", "said"), [("nowhere", "No such file"), (".", "holds no RPM")])
def test_a_faulty_directory_is_told_with_its_place(tmp_path: Path, directory: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        built.rpms([host("web1", tmp_path / "hosts.yml", directory)])
    assert f"{tmp_path}/hosts.yml:3: hosts.web1.docker_rpms: " in raised.value.brief
    assert said in raised.value.brief
