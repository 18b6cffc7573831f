"""Loads image archives, docker-archive and OCI, into an image store; every digest and diffID is verified.

An image's blobs and layers are on disk before images.json names it; what a load that failed has left is collected.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from skiff.errors import InvalidInput, SkiffError
from skiff.image.archive import Archive
from skiff.image.candidates import Blob, Candidate, candidates
from skiff.image.compression import decompressed
from skiff.image.content import check_digest
from skiff.image.index import Stored
from skiff.image.reference import Reference
from skiff.image.store import ImageStore
from skiff.snapshot import space

# Docker has 125; the options of an overlay of more than this do not fit a page.
LAYER_LIMIT = 128


def load(store: ImageStore, source: BinaryIO) -> Iterator[str]:
    """Load every image of an archive (tar or tar.gz); yields dockerd's line for each name as it is there."""
    try:
        archive = Archive(source, store.data_root)
        try:
            for candidate in candidates(archive):
                yield from _load(store, archive, candidate)
        finally:
            archive.close()
    except OSError as error:
        store.collect()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SkiffError(f"no space left on device; free some under {store.data_root} and load again") from error
    except BaseException:
        store.collect()
        raise


def _load(store: ImageStore, archive: Archive, candidate: Candidate) -> list[str]:
    with store.incoming():
        document = archive.document(candidate.config.path)
        diff_ids = _diff_ids(document, candidate)
        size = archive.size(blob.path for blob in (candidate.config, *candidate.layers))
        space.need(store.data_root, size, "cannot load the image")
        identity = _add(store, archive, candidate.config)
        stored: Stored = {"manifest": None, "layers": [], "size": 0, "tagged": None}
        chain: list[str] = []
        for blob, diff_id in zip(candidate.layers, diff_ids):
            digest = _add(store, archive, blob)
            with store.content.open(digest) as file:
                layer = store.snapshots.layers.unpack(chain, diff_id, decompressed(file))
            chain.append(layer.chain)
            stored["layers"].append(digest)
            stored["size"] += layer.size
        if candidate.manifest:
            stored["manifest"] = _add(store, archive, candidate.manifest)
        taken = dict(store.add(identity, stored, candidate.names))
    return list(_lines(identity, candidate, taken))


def _lines(identity: str, candidate: Candidate, taken: Mapping[Reference, str]) -> Iterator[str]:
    """As dockerd words them."""
    if not candidate.names:
        yield f"Loaded image ID: {identity}"
    for name in candidate.names:
        if name in taken:
            previous = taken[name]
            yield f"The image {name.familiar()} already exists, renaming the old one with ID {previous} to empty string"
        yield f"Loaded image: {name.familiar()}"


def _add(store: ImageStore, archive: Archive, blob: Blob) -> str:
    return store.content.add(archive.open(blob.path), blob.digest, blob.size).digest


def _diff_ids(document: Any, candidate: Candidate) -> list[str]:
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    # An image of no layer at all may leave the list out, or null.
    diff_ids = [check_digest(diff_id) for diff_id in found] if isinstance(found, list) else []
    if not isinstance(rootfs, dict) or len(diff_ids) != len(candidate.layers):
        raise InvalidInput(
            f"invalid manifest, layers length mismatch: expected {len(diff_ids)} by {candidate.config.path!r}, "
            f"got {len(candidate.layers)}"
        )
    if len(diff_ids) > LAYER_LIMIT:
        raise InvalidInput(f"max depth exceeded: the image has {len(diff_ids)} layers, {LAYER_LIMIT} is the limit")
    if not isinstance(document.get("config") or {}, dict):
        raise InvalidInput(f"{candidate.config.path!r} in the archive is malformed: its config is no object")
    return diff_ids
