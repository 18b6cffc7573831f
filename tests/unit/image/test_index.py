"""images.json and what it names, damaged or of another version."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from skiff.errors import SkiffError
from skiff.image import load
from skiff.image.store import ImageStore
from tests.unit.image.tars import docker_archive, member, tar

ARCHIVE = docker_archive([tar(member("a", b"1"))], ["one"])


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    found = ImageStore(str(tmp_path))
    list(load.load(found, io.BytesIO(ARCHIVE)))
    return found


def document(store: ImageStore) -> Path:
    return Path(store.data_root, "images/images.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"images": [], "references": {}}', "[" * 100000, '{"images": {}, "references": {"a": "b"}}', "\0" * 50],
)
def test_damage_is_named_with_the_way_out(store: ImageStore, text: str) -> None:
    document(store).write_text(text)
    for attempt in (store.list, store.count, lambda: store.resolve("one"), lambda: list(load.load(store, io.BytesIO(ARCHIVE)))):
        with pytest.raises(SkiffError, match=r"images/images\.json is damaged .*remove it and load the images again"):
            attempt()
    assert document(store).read_text() == text
    assert "images.json is damaged" in store.recover()[0]
    assert store.snapshots.layers.chains()


def test_format_of_a_newer_version_is_refused(store: ImageStore) -> None:
    known = json.loads(document(store).read_text())
    assert known["format"] == 1
    document(store).write_text(json.dumps({**known, "format": 2}))
    with pytest.raises(SkiffError, match=r"images\.json was written by a newer Skiff \(its format is 2, this version reads 1\)"):
        store.list()
    del known["format"]
    document(store).write_text(json.dumps(known))
    assert [image.repo_tags for image in store.list()] == [["one:latest"]]


def test_damaged_configuration_is_mended_by_loading_again(store: ImageStore) -> None:
    path = Path(store.content.path(store.resolve("one").id))
    path.write_text("")
    assert store.count() == 1
    with pytest.raises(SkiffError, match=rf"{path} is damaged .*; load the image again"):
        store.list()
    assert len(store.recover()) == 1
    assert list(load.load(store, io.BytesIO(ARCHIVE))) == ["Loaded image: one:latest"]
    assert store.recover() == []
    assert store.resolve("one").size == 1


def test_damaged_records_of_snapshots_and_layers_are_named(store: ImageStore) -> None:
    chain = store.resolve("one").chain_ids
    store.snapshots.prepare("c1", chain)
    record = Path(store.snapshots.layers.root, "active/c1/snapshot.json")
    record.write_text("")
    with pytest.raises(SkiffError, match=rf"{record} is damaged .*remove the container c1"):
        store.snapshots.mounts("c1")
    assert len(store.recover()) == 1
    store.snapshots.remove("c1")
    assert store.recover() == []
    Path(store.snapshots.layers.files(chain[0])).with_name("layer.json").write_text('{"chain": 1}')
    with pytest.raises(SkiffError, match=r"layer\.json is damaged .*load the image again"):
        store.snapshots.prepare("c1", chain)
