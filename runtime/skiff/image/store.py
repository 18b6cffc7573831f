"""Images that are stored, and the references to them.

    images/
        images.json     {"images": {id: {"manifest", "layers", "size"}}, "references": {full reference: id}}
        lock            held for every change of images.json
        using           held shared while blobs and layers come in, exclusively while those without an image are removed

images.json is written aside, fsynced and renamed: an image exists, with its blobs and layers on disk, once it is in there.
An image's id is the digest of its configuration.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, TypedDict

from skiff.errors import NotFound
from skiff.image import reference
from skiff.image.content import ContentStore
from skiff.snapshot.layers import chain_ids
from skiff.snapshot.overlay import Overlay

_HEX = re.compile(r"[a-f0-9]{1,64}")


@dataclass(frozen=True)
class Image:
    """An image; `config` is what containers take over (Docker's Config), `document` the whole OCI image configuration."""

    id: str
    repo_tags: list[str]
    repo_digests: list[str]
    size: int
    document: Mapping[str, Any]
    manifest: Optional[str]
    layers: list[str]

    @property
    def config(self) -> dict[str, Any]:
        """Cmd, Entrypoint, Env, User, WorkingDir and the like."""
        return dict(self.document.get("config") or {})

    @property
    def created(self) -> str:
        """RFC 3339; empty where the image does not say."""
        return str(self.document.get("created") or "")

    @property
    def architecture(self) -> str:
        """In Go's words."""
        return str(self.document.get("architecture") or "")

    @property
    def os(self) -> str:
        """In Go's words."""
        return str(self.document.get("os") or "")

    @property
    def diff_ids(self) -> list[str]:
        """The digests of its layers as tar streams, lowest first."""
        return list(self.document["rootfs"].get("diff_ids") or ())

    @property
    def chain_ids(self) -> list[str]:
        """The chain IDs of its layers, lowest first."""
        return chain_ids(self.diff_ids)


class Stored(TypedDict):
    """What images.json holds of an image."""

    manifest: Optional[str]
    layers: list[str]
    size: int


class State(TypedDict):
    """images.json."""

    images: dict[str, Stored]
    references: dict[str, str]


class Match(NamedTuple):
    """An image, and the reference by which it was found, unless that was its id."""

    image: Image
    reference: Optional[str]


class ImageStore:
    """The images of a data root, with their blobs in `content` and their layers in `snapshots`."""

    def __init__(self, data_root: str) -> None:
        self.data_root = data_root
        self.content = ContentStore(data_root)
        self.snapshots = Overlay(data_root)
        self._root = os.path.join(data_root, "images")
        os.makedirs(self._root, mode=0o700, exist_ok=True)

    def list(self) -> Sequence[Image]:
        """Every image."""
        state = self._read()
        return [self._image(state, identity) for identity in state["images"]]

    def resolve(self, name: str) -> Image:
        """The image of a reference, an id or the beginning of one."""
        return self.find(name).image

    def find(self, name: str) -> Match:
        """As resolve, and how it was found; a name is looked for before the beginning of an id, as dockerd does."""
        state = self._read()
        whole = name if name.startswith("sha256:") else f"sha256:{name}"
        if whole in state["images"]:
            return Match(self._image(state, whole), None)
        prefix = name[len("sha256:") :] if name.startswith("sha256:") else name
        if prefix == name:
            parsed = None if re.fullmatch(r"[a-f0-9]{64}", name) else reference.normalize(name)
            if parsed and str(parsed) in state["references"]:
                return Match(self._image(state, state["references"][str(parsed)]), str(parsed))
            missing = parsed.familiar() if parsed else name
        else:
            missing = name
        found = [identity for identity in state["images"] if identity.startswith(f"sha256:{prefix}")]
        if len(found) != 1 or not _HEX.fullmatch(prefix):
            raise NotFound(f"No such image: {missing}")
        return Match(self._image(state, found[0]), None)

    def references(self) -> Mapping[str, str]:
        """Every full reference, and the id of its image."""
        return self._read()["references"]

    def add(self, identity: str, stored: Stored, names: Sequence[reference.Reference]) -> None:
        """Make an image known whose blobs and layers are on disk, under names that are taken from other images."""
        with self._changing() as state:
            state["images"][identity] = stored
            for name in names:
                state["references"][str(name)] = identity

    def forget(self, names: Sequence[str], identity: Optional[str] = None) -> None:
        """Drop full references, and an image."""
        with self._changing() as state:
            for name in names:
                state["references"].pop(name, None)
            if identity:
                state["images"].pop(identity, None)

    def collect(self) -> Sequence[str]:
        """Remove blobs and layers that no image and no snapshot needs; the chain IDs of the layers removed."""
        with self._flock("using", fcntl.LOCK_EX):
            images = self.list()
            layers = self.snapshots.collect([chain for image in images for chain in image.chain_ids])
            blobs = {digest for image in images for digest in (image.id, image.manifest, *image.layers)}
            for digest in self.content.digests():
                if digest not in blobs:
                    self.content.remove(digest)
        return layers

    def recover(self) -> None:
        """Remove what processes that were killed have left; to be called once, before anything else uses the data root."""
        self.content.recover()
        self.snapshots.recover()
        self.collect()

    def incoming(self) -> contextlib.AbstractContextManager[None]:
        """While it is held, no blob or layer is removed for want of an image."""
        return self._flock("using", fcntl.LOCK_SH)

    def _image(self, state: State, identity: str) -> Image:
        stored = state["images"][identity]
        names = [reference.parse(name) for name, target in sorted(state["references"].items()) if target == identity]
        return Image(
            id=identity,
            repo_tags=[name.familiar() for name in names if not name.digest],
            repo_digests=[name.familiar() for name in names if name.digest],
            size=stored["size"],
            document=json.loads(self.content.read(identity)),
            manifest=stored["manifest"],
            layers=stored["layers"],
        )

    def _read(self) -> State:
        try:
            with open(os.path.join(self._root, "images.json"), encoding="utf-8") as file:
                state: State = json.load(file)
        except FileNotFoundError:
            return {"images": {}, "references": {}}
        return state

    @contextlib.contextmanager
    def _changing(self) -> Iterator[State]:
        with self._flock("lock", fcntl.LOCK_EX):
            state = self._read()
            yield state
            path = os.path.join(self._root, "images.json")
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(state, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{path}.new", path)
            _sync_directory(self._root)

    @contextlib.contextmanager
    def _flock(self, name: str, operation: int) -> Iterator[None]:
        fd = os.open(os.path.join(self._root, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, operation)
            yield
        finally:
            os.close(fd)


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
