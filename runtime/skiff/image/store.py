"""Images that are stored, and the references to them.

    images/
        images.json     {"format", "images": {id: {"manifest", "layers", "size", "tagged"}}, "references": {full reference: id}}
        lock            held for every change of images.json
        using           held shared while blobs and layers come in, exclusively while those without an image are removed

images.json is written aside, fsynced and renamed: an image exists, with its blobs and layers on disk, once it is in there.
An image's id is the digest of its configuration. Its layers' blobs are kept, as they came, beside the unpacked layers: whoever
saves or pushes the image sends those very bytes, and a layer packed anew would have another digest.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from skiff.errors import NotFound, SkiffError
from skiff.image import reference
from skiff.image.content import ContentStore
from skiff.image.index import Index, State, Stored, locked
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
    tagged: Optional[str]

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


class Match(NamedTuple):
    """An image, and the reference by which it was found, unless that was its id."""

    image: Image
    reference: Optional[str]


class Taken(NamedTuple):
    """A name that an image lost to another."""

    name: reference.Reference
    previous: str


class ImageStore:
    """The images of a data root, with their blobs in `content` and their layers in `snapshots`."""

    def __init__(self, data_root: str) -> None:
        self.data_root = data_root
        self.content = ContentStore(data_root)
        self.snapshots = Overlay(data_root)
        directory = os.path.join(data_root, "images")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._index = Index(directory)
        self._using = os.path.join(directory, "using")

    def count(self) -> int:
        """How many images there are."""
        return len(self._index.read()["images"])

    def list(self) -> Sequence[Image]:
        """Every image."""
        state = self._index.read()
        return [self._image(state, identity) for identity in state["images"]]

    def resolve(self, name: str) -> Image:
        """The image of a reference, an id or the beginning of one."""
        return self.find(name).image

    def find(self, name: str) -> Match:
        """As resolve, and how it was found; a name is looked for before the beginning of an id, as dockerd does."""
        state = self._index.read()
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
        return self._index.read()["references"]

    def add(self, identity: str, stored: Stored, names: Sequence[reference.Reference]) -> Sequence[Taken]:
        """Make an image known whose blobs and layers are on disk, under names; those that other images lose to it."""
        taken: list[Taken] = []
        with self._index.changing() as state:
            before = state["images"].get(identity)
            tagged = _now() if names else before and before.get("tagged")
            state["images"][identity] = {**stored, "tagged": tagged}
            for name in names:
                previous = state["references"].get(str(name), identity)
                if previous != identity:
                    taken.append(Taken(name, previous))
                state["references"][str(name)] = identity
        return taken

    def forget(self, names: Sequence[str], identity: Optional[str] = None) -> None:
        """Drop full references, and an image with all references that it has by now."""
        with self._index.changing() as state:
            for name, target in list(state["references"].items()):
                if name in names or target == identity:
                    del state["references"][name]
            if identity:
                state["images"].pop(identity, None)

    def collect(self) -> Sequence[str]:
        """Remove blobs and layers that no image and no snapshot needs; the chain IDs of the layers removed."""
        with locked(self._using, fcntl.LOCK_EX):
            images = self.list()
            layers = self.snapshots.collect([chain for image in images for chain in image.chain_ids])
            blobs = {digest for image in images for digest in (image.id, image.manifest, *image.layers)}
            for digest in self.content.digests():
                if digest not in blobs:
                    self.content.remove(digest)
        return layers

    def recover(self) -> Sequence[str]:
        """Remove what processes that were killed have left; words about what could not be removed.

        To be called once, before anything else uses the data root. What is damaged is kept, and keeps nobody from the rest.
        """
        left = self.content.recover() + self.snapshots.recover()
        try:
            self.collect()
        except (SkiffError, OSError) as error:
            left.append(f"unused layers and blobs are kept: {error}")
        return left

    def incoming(self) -> contextlib.AbstractContextManager[None]:
        """While it is held, no blob or layer is removed for want of an image."""
        return locked(self._using, fcntl.LOCK_SH)

    def _image(self, state: State, identity: str) -> Image:
        stored = state["images"][identity]
        names = [reference.parse(name) for name, target in sorted(state["references"].items()) if target == identity]
        return Image(
            id=identity,
            repo_tags=[name.familiar() for name in names if not name.digest],
            repo_digests=[name.familiar() for name in names if name.digest],
            size=stored["size"],
            document=self._document(identity),
            manifest=stored["manifest"],
            layers=stored["layers"],
            tagged=stored.get("tagged"),
        )

    def _document(self, identity: str) -> Mapping[str, Any]:
        try:
            document: Mapping[str, Any] = json.loads(self.content.read(identity))
        except ValueError as error:
            raise SkiffError(f"{self.content.path(identity)} is damaged ({error}); load the image again") from None
        return document


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
