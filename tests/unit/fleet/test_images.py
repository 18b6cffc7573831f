"""Image archives: what is found in them, what is refused before any host is touched, and how they travel."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import tarfile
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

import pytest

from fleet import bootstrap
from fleet.content import Content
from fleet.errors import UsageError
from fleet.events import Event
from fleet.exchange.session import Session
from fleet.images import archive, packing
from fleet.run import images
from fleet.transport.fake import FakeChannel
from tests.unit.fleet import archives
from tests.unit.fleet.test_run import host_run
from tests.unit.fleet.wire import Agent, agent, done, job, plan, result

Members = Dict[str, bytes]


def names(path: Path) -> List[Tuple[str, ...]]:
    return [one.names for one in archive.read(path).images]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_docker_and_oci_archives_are_read_packed_or_not(tmp_path: Path, mode: archives.Mode) -> None:
    for members, name in ((archives.docker(), "app:1"), (archives.oci(), "app:2")):
        found = archive.read(archives.write(tmp_path / "a.tar", members, mode))
        [image] = found.images
        assert (image.names, image.digest) == ((name,), f"sha256:{archives.digest(archives.config(archives.LAYER))}")
        assert found.unpacked == len(archives.LAYER)


def test_links_of_older_archives_are_followed(tmp_path: Path) -> None:
    members = archives.docker()
    layer = members.pop("l/layer.tar")
    path = archives.write(tmp_path / "a.tar", {**members, "first/layer.tar": layer})
    with tarfile.open(path, "a") as tar:
        entry = tarfile.TarInfo("l/layer.tar")
        entry.type, entry.linkname = tarfile.SYMTYPE, "../first/layer.tar"
        tar.addfile(entry)
    assert names(path) == [("app:1",)]


def test_an_index_without_the_other_platforms_blobs_is_one_image(tmp_path: Path) -> None:
    members: Members = {}
    here = archives.manifest(members, platform={"os": "linux", "architecture": "amd64"})
    gone = {**here, "digest": f"sha256:{'0' * 64}", "platform": {"os": "linux", "architecture": "arm64"}}
    note = archives.manifest(members, b"note", platform={"os": "unknown", "architecture": "unknown"})
    inner = archives.blob(members, json.dumps({"manifests": [here, gone, note]}).encode())
    inner["annotations"] = {"io.containerd.image.name": "docker.io/library/app:3"}
    members["index.json"] = json.dumps({"manifests": [inner]}).encode()
    assert names(archives.write(tmp_path / "a.tar", members)) == [("docker.io/library/app:3",)]


def damaged(what: str) -> Members:
    members = archives.docker()
    config = next(name for name in members if name.endswith(".json") and name != "manifest.json")
    if what == "layer":
        members["l/layer.tar"] = b"another"
    elif what == "config":
        members[config] += b" "
    elif what == "no layer":
        del members["l/layer.tar"]
    elif what == "manifest":
        members["manifest.json"] = b"[1]"
    elif what == "no image":
        members["manifest.json"] = b"[]"
    elif what == "other":
        return {"hello": b"world"}
    elif what == "layers":
        members["manifest.json"] = members["manifest.json"].replace(b'"l/layer.tar"', b'"l/layer.tar", "l/layer.tar"')
    return members


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("layer", "l/layer.tar is damaged"),
        ("config", ".json is damaged"),
        ("no layer", "l/layer.tar is missing"),
        ("manifest", "manifest.json is not as"),
        ("no image", "names no image"),
        ("other", "neither manifest.json nor index.json"),
        ("layers", "has 1 layers, and the archive names 2"),
    ],
)
def test_a_damaged_archive_is_refused_with_file_and_cause(tmp_path: Path, what: str, cause: str) -> None:
    path = archives.write(tmp_path / "bad.tar", damaged(what))
    with pytest.raises(UsageError) as caught:
        archive.read(path)
    assert caught.value.brief.startswith(f"{path}: is no whole image archive: ")
    assert cause in caught.value.brief
    assert "docker save" in caught.value.resolution


def test_an_oci_blob_that_is_not_its_digest_is_refused(tmp_path: Path) -> None:
    members = archives.oci()
    for name in [name for name in members if name.startswith("blobs/")]:
        path = archives.write(tmp_path / "bad.tar", {**members, name: members[name][:-1] + b"?"})
        with pytest.raises(UsageError, match=r"damaged|JSON"):
            archive.read(path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_that_is_cut_short_anywhere_is_refused(tmp_path: Path, mode: archives.Mode) -> None:
    whole = archives.write(tmp_path / "a.tar", archives.docker(), mode).read_bytes()
    end = len(whole.rstrip(b"\0")) if mode == "w" else len(whole)
    path = tmp_path / "cut.tar"
    for length in range(0, end, max(1, end // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"cut\.tar: "):
            archive.read(path)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for path, cause in ((tmp_path / "none.tar", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(UsageError, match=cause):
            archive.read(path)


def test_several_platforms_are_refused(tmp_path: Path) -> None:
    members: Members = {}
    both = [
        archives.manifest(members, layer, platform={"os": "linux", "architecture": name})
        for layer, name in ((b"a" * 100, "amd64"), (b"b" * 100, "arm64"))
    ]
    members["index.json"] = json.dumps({"manifests": both}).encode()
    with pytest.raises(UsageError, match="for 2 platforms"):
        archive.read(archives.write(tmp_path / "a.tar", members))


def sent(path: Path) -> Tuple[Content, bytes]:
    with packing.packed(path, archive.read(path)) as content:
        data = b"".join(content.chunks())
        assert b"".join(content.chunks()) == data  # as often as there are hosts
    assert (archives.digest(data), len(data)) == (content.sha256, content.size)
    return content, data


def test_what_packing_does_not_help_goes_as_it_is(tmp_path: Path) -> None:
    path = archives.write(tmp_path / "a.tar", archives.docker(layer=os.urandom(1 << 20)))
    assert sent(path)[1] == path.read_bytes()
    packed = archives.write(tmp_path / "b.tar", archives.docker(), "w:gz")
    assert sent(packed)[1] == packed.read_bytes()


def test_what_packing_helps_goes_packed_and_is_the_same(tmp_path: Path) -> None:
    path = archives.write(tmp_path / "a.tar", archives.docker(layer=b"x" * (1 << 20)))
    data = sent(path)[1]
    assert len(data) < path.stat().st_size // 10
    assert gzip.decompress(data) == path.read_bytes()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_an_oci_layout_travels_with_what_dockers_engines_read(tmp_path: Path, mode: archives.Mode) -> None:
    path = archives.write(tmp_path / "a.tar", archives.oci(), mode)
    (tmp_path / "b.tar").write_bytes(sent(path)[1])
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert tar.getnames()[0] == "manifest.json"
        assert set(archives.oci()) < set(tar.getnames())
    again = archive.read(tmp_path / "b.tar")
    assert (again.manifest, again.images) == (True, archive.read(path).images)


def test_every_host_gets_the_resource_and_hears_how_far_its_bytes_are(tmp_path: Path) -> None:
    path = archives.write(tmp_path / "a.tar", archives.docker(layer=os.urandom(16 << 20)))
    heard: List[Event] = []
    with images.pushed(str(path)) as wanted:

        def script(message: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
            if message["type"] == "desired":
                return [plan("images:a.tar"), {"type": "need", "sha256": [wanted.archive.sha256]}]
            return [result("images:a.tar", "changed"), done(changed=1)]

        outcome = host_run(job("apply", images.role(wanted)), agent(script), heard)
    assert outcome.state == "changed"
    steps = [event.data["sent"] for event in heard if event.kind == "sending"]
    assert steps == sorted(set(steps))
    assert (len(steps), steps[-1]) == (20, wanted.archive.size)


def test_nothing_is_left_of_what_was_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    path = archives.write(tmp_path / "a.tar", archives.docker(layer=b"x" * (1 << 20)))
    with images.pushed(str(path)):
        assert list(place.iterdir()) == []


def test_two_images_with_one_configuration_have_both_names(tmp_path: Path) -> None:
    members = archives.docker()
    [row] = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps([row, {**row, "RepoTags": ["app:latest", "app:1"]}]).encode()
    with images.pushed(str(archives.write(tmp_path / "a.tar", members))) as wanted:
        assert list(wanted.images.values()) == [("app:1", "app:latest")]


def test_a_reader_starts_at_the_beginning_each_time(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w+b") as file:
        file.write(b"abc")
        file.flush()
        first, second = (packing.Unnamed(file).open("rb") for _ in range(2))
        assert (first.read(1), second.read(), first.read()) == (b"a", b"abc", b"bc")


def test_a_host_that_takes_bytes_slowly_is_not_silent() -> None:
    content, ticks = Content.of(bytes(8 << 20)), itertools.count()

    def script(message: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
        return {"desired": [{"type": "need", "sha256": [content.sha256]}], "content": [done()]}[str(message["type"])]

    started = bootstrap.prepare(False)
    channel = FakeChannel(Agent(started.marker, script))
    # A second passes at every look at the clock: each of the pieces is quick, and all of them are not.
    session = Session(channel, started, None, 1e9, 60.0, lambda: False, lambda: float(next(ticks)))
    session.hello(lambda _: "")
    assert [message["type"] for message in session.run({}, {content.sha256: content})] == ["done"]
    assert next(ticks) > 120
