"""Archives in, images out; the layers here need no root."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from skiff.errors import Conflict, InvalidInput, NotFound, SkiffError, Unsupported
from skiff.image import inspection, load, removal
from skiff.image.removal import Use
from skiff.image.store import ImageStore
from skiff.snapshot import space
from tests.unit.image.tars import Layout, config, digest, directory, docker_archive, hardlink, member, symlink, tar

BASE = tar(directory("bin"), member("bin/sh", b"#!"))
TOP = tar(member("etc/name", b"top"))
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(str(tmp_path / "root"))


def loaded(store: ImageStore, data: bytes) -> list[str]:
    return list(load.load(store, io.BytesIO(data)))


def litter(store: ImageStore) -> list[str]:
    root = Path(store.data_root)
    return [str(path) for place in ("content/ingest", "snapshots/overlay/ingest") for path in (root / place).iterdir()]


def test_docker_archive(store: ImageStore) -> None:
    document = config([BASE, TOP])
    assert loaded(store, docker_archive([BASE, TOP], ["busybox:1", "quay.io/a/b:c"])) == [
        "Loaded image: busybox:1",
        "Loaded image: quay.io/a/b:c",
    ]
    image = store.resolve("busybox:1")
    assert image.id == digest(document)
    assert image.repo_tags == ["busybox:1", "quay.io/a/b:c"]
    assert image.size == 5
    assert image.config["Cmd"] == ["sh"]
    assert image.diff_ids == [digest(BASE), digest(TOP)]
    assert image.chain_ids == [digest(BASE), digest(f"{digest(BASE)} {digest(TOP)}".encode())]
    assert Path(store.snapshots.layers.files(image.chain_ids[1]), "etc/name").read_text() == "top"
    assert not litter(store)
    shown = inspection.inspect(image, store.snapshots.layers.graph(image.chain_ids))
    assert shown["RootFS"]["Layers"] == image.diff_ids
    assert shown["Created"] == "2026-01-02T03:04:05Z"
    graph = shown["GraphDriver"]["Data"]
    assert sorted(graph) == ["LowerDir", "MergedDir", "UpperDir", "WorkDir"]
    assert Path(graph["LowerDir"], "bin/sh").read_text() == "#!"
    assert Path(graph["UpperDir"], "etc/name").read_text() == "top"
    tagged = datetime.datetime.strptime(shown["Metadata"]["LastTagTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.datetime.now(datetime.timezone.utc) - tagged) < datetime.timedelta(hours=1)


def test_compressed_archive_without_names(store: ImageStore) -> None:
    lines = loaded(store, gzip.compress(docker_archive([BASE], None)))
    assert lines == [f"Loaded image ID: {digest(config([BASE]))}"]
    image = store.resolve(digest(config([BASE]))[7:19])
    assert image.repo_tags == []
    shown = inspection.inspect(image, store.snapshots.layers.graph(image.chain_ids))
    assert shown["Metadata"]["LastTagTime"] == "0001-01-01T00:00:00Z"
    assert sorted(shown["GraphDriver"]["Data"]) == ["MergedDir", "UpperDir", "WorkDir"]


def test_archive_of_older_docker_links_equal_layers(store: ImageStore) -> None:
    rows = [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["x/layer.tar", "y/layer.tar", "z/layer.tar"]}]
    files = [member("x/layer.tar", BASE), symlink("y/layer.tar", "../x/layer.tar"), hardlink("z/layer.tar", "x/layer.tar")]
    layers = [BASE, BASE, BASE]
    data = tar(*files, member("c.json", config(layers)), member("manifest.json", json.dumps(rows).encode()))
    assert loaded(store, data) == ["Loaded image: a:b"]
    assert len(store.resolve("a:b").chain_ids) == 3


def test_oci_archive_chooses_the_platform(store: ImageStore) -> None:
    layout = Layout()
    other = layout.image([TOP], platform={"os": "linux", "architecture": "s390x"})
    mine = layout.image([BASE, TOP], platform={"os": "linux", "architecture": HERE})
    named = layout.index([other, mine], annotations={"io.containerd.image.name": "docker.io/library/busybox:2"})
    plain = layout.image([BASE], annotations={"org.opencontainers.image.ref.name": "latest"})
    assert loaded(store, layout.archive([named, plain])) == [
        "Loaded image: busybox:2",
        f"Loaded image ID: {digest(config([BASE]))}",
    ]
    image = store.resolve("busybox:2")
    assert image.diff_ids == [digest(BASE), digest(TOP)]
    assert image.manifest == mine["digest"]


def test_oci_archive_for_others_only(store: ImageStore) -> None:
    layout = Layout()
    others = [layout.image([TOP], platform={"os": "linux", "architecture": name}) for name in ("s390x", "ppc64le")]
    with pytest.raises(InvalidInput, match=f"no image for linux/{HERE}, only for linux/s390x, linux/ppc64le"):
        loaded(store, layout.archive([layout.index(others)]))


def swap_blob(data: bytes, wrong: bytes) -> bytes:
    layout = Layout()
    image = layout.image([BASE])
    layout.blobs[digest(data)] = wrong
    return layout.archive([image])


MANIFEST = json.dumps([{"Config": "../../etc/passwd", "RepoTags": ["a:b"], "Layers": []}]).encode()
DAMAGED: dict[str, Callable[[], bytes]] = {
    "layer of another diffID": lambda: docker_archive([TOP], ["a:b"], config([BASE])),
    "fewer layers than diffIDs": lambda: docker_archive([TOP], ["a:b"], config([BASE, TOP])),
    "configuration that is no JSON": lambda: docker_archive([TOP], ["a:b"], b"{"),
    "configuration that is a list": lambda: docker_archive([TOP], ["a:b"], b"[]"),
    "configuration without rootfs": lambda: docker_archive([], ["a:b"], b"{}"),
    "configuration nested deeply": lambda: docker_archive([], ["a:b"], b"[" * 200000),
    "name that is none": lambda: docker_archive([TOP], ["A b"]),
    "too many layers": lambda: docker_archive([TOP] * 129, ["a:b"]),
    "hostile layer": lambda: docker_archive([BASE, tar(member("../x"))], ["a:b"]),
    "blob of another digest": lambda: swap_blob(gzip.compress(BASE, mtime=0), gzip.compress(TOP, mtime=0)),
    "configuration of another digest": lambda: swap_blob(config([BASE]), config([BASE]) + b" "),
    "manifest outside the archive": lambda: tar(member("manifest.json", MANIFEST)),
    "manifest that is an object": lambda: tar(member("manifest.json", b"{}")),
    "link to itself": lambda: tar(symlink("manifest.json", "manifest.json")),
    "descriptor with a path": lambda: tar(member("index.json", b'{"manifests":[{"digest":"sha256:../../x","size":1}]}')),
    "nothing of an image": lambda: tar(member("README", b"x")),
    "no archive": lambda: b"hello" * 200,
    "empty": lambda: b"",
    "gzip cut short": lambda: gzip.compress(docker_archive([BASE], ["a:b"]))[:-20],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_archive_leaves_nothing(store: ImageStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        loaded(store, DAMAGED[name]())
    assert not store.list()
    assert not litter(store)
    assert not store.content.digests()
    assert not store.snapshots.layers.chains()


def test_other_compression_is_named(store: ImageStore) -> None:
    with pytest.raises(Unsupported, match="zstd"):
        loaded(store, b"\x28\xb5\x2f\xfd" + bytes(1000))


def test_reserve_of_disk_is_kept(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "RESERVE", 1 << 60)
    monkeypatch.setattr(space, "RESERVE_PART", 1)
    expected = (
        rf"cannot take in the archive: no space left on device: {store.data_root} needs \d+ bytes and \d+ in reserve, \d+ are free"
    )
    with pytest.raises(SkiffError, match=expected):
        loaded(store, docker_archive([BASE], ["a:b"])[:10240])
    assert not litter(store)


def test_names_move_and_ids_resolve(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["a:b"]))
    first = store.resolve("a:b")
    assert loaded(store, docker_archive([BASE], ["a:b"])) == ["Loaded image: a:b"]
    assert loaded(store, docker_archive([BASE, TOP], ["a:b"])) == [
        f"The image a:b already exists, renaming the old one with ID {first.id} to empty string",
        "Loaded image: a:b",
    ]
    assert store.resolve("a:b").id != first.id
    assert store.resolve(first.id) == store.resolve(first.id[7:]) == store.resolve(first.id[:20])
    assert store.resolve(first.id).repo_tags == []
    assert len(store.list()) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("nosuch:x", "No such image: nosuch:x"),
        ("sha256:dead", "No such image: sha256:dead"),
        ("d" * 64, f"No such image: {'d' * 64}"),
    ],
)
def test_unknown_image(store: ImageStore, name: str, message: str) -> None:
    with pytest.raises(NotFound) as error:
        store.resolve(name)
    assert str(error.value) == message


def test_remove(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["one"]))
    loaded(store, docker_archive([BASE, TOP], ["two:a", "two:b"]))
    one, two = store.resolve("one"), store.resolve("two:a")
    assert removal.remove(store, "two:a") == [{"Untagged": "two:a"}]
    assert removal.remove(store, two.id) == [{"Untagged": "two:b"}, {"Deleted": two.id}, {"Deleted": two.chain_ids[1]}]
    assert store.snapshots.layers.chains() == one.chain_ids
    assert removal.remove(store, "one") == [{"Untagged": "one:latest"}, {"Deleted": one.id}, {"Deleted": one.chain_ids[0]}]
    assert not store.content.digests()
    assert os.listdir(os.path.join(store.data_root, "l")) == []


def test_image_in_use_is_kept(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["one"]))
    image = store.resolve("one")
    store.snapshots.prepare("c1", image.chain_ids)
    for name, running, message in (
        ("one", False, r'unable to remove repository reference "one" \(must force\) - container c1 is using'),
        (image.id, True, r"\(cannot be forced\) - image is being used by running container c1"),
        (image.id, False, r"\(must be forced\) - image is being used by stopped container c1"),
    ):
        with pytest.raises(Conflict, match=message):
            removal.remove(store, name, in_use={image.id: Use("c1", running)})
    # Forced, the image goes and the layers that the container stands on stay.
    rows = removal.remove(store, "one", force=True, in_use={image.id: Use("c1", False)})
    assert rows == [{"Untagged": "one:latest"}, {"Deleted": image.id}]
    assert store.snapshots.layers.chains() == image.chain_ids
    store.snapshots.remove("c1")
    store.recover()
    assert not store.snapshots.layers.chains()


def test_several_repositories_are_not_removed_by_id(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["one", "two"]))
    identity = store.resolve("one").id
    with pytest.raises(Conflict, match="referenced in multiple repositories"):
        removal.remove(store, identity)
    assert removal.remove(store, identity, force=True)[-1] == {"Deleted": digest(BASE)}


def test_image_goes_with_names_that_it_got_meanwhile(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["one", "two"]))
    store.forget(["docker.io/library/one:latest"], store.resolve("one").id)
    assert store.references() == {}
    assert store.count() == 0


def test_recover_removes_what_killed_processes_left(store: ImageStore) -> None:
    loaded(store, docker_archive([BASE], ["one"]))
    root = Path(store.data_root)
    (root / "content/ingest/x").write_bytes(b"half")
    (root / "snapshots/overlay/ingest/y/fs/a").mkdir(parents=True)
    (root / "snapshots/overlay/active/c1/upper").mkdir(parents=True)
    (root / "l/ABCD").symlink_to("nowhere")
    store.content.add(io.BytesIO(b"nobody's"))
    store.recover()
    assert not litter(store)
    assert store.snapshots.keys() == []
    assert len(os.listdir(root / "l")) == 1
    assert len(store.content.digests()) == 2
    assert store.resolve("one").config["Env"] == ["A=b"]
