"""What images an archive holds: docker-archive's manifest.json, or OCI's index.json with the one for this platform chosen."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from skiff.errors import InvalidInput
from skiff.image import reference
from skiff.image.archive import Archive, parse_document
from skiff.image.content import check_digest

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
INDEX_DEPTH = 4


class Blob(NamedTuple):
    """A file of the archive, with its digest and size where the archive declares them."""

    path: str
    digest: Optional[str] = None
    size: Optional[int] = None


class Candidate(NamedTuple):
    """An image in an archive; `manifest` is absent where the format has none of its own."""

    config: Blob
    layers: list[Blob]
    manifest: Optional[Blob]
    names: list[reference.Reference]


def candidates(archive: Archive) -> list[Candidate]:
    """Every image that can be loaded."""
    # `docker save` writes both since 25; manifest.json has the names that it means.
    if archive.has("manifest.json"):
        rows = _list(archive.document("manifest.json"), "manifest.json")
        return [_docker(_mapping(row, "manifest.json")) for row in rows]
    if archive.has("index.json"):
        return _oci(archive)
    raise InvalidInput("the archive holds neither manifest.json nor index.json: it is no image archive")


def _docker(row: Mapping[str, Any]) -> Candidate:
    layers = [Blob(_text(path, "Layers")) for path in _list(row.get("Layers") or [], "Layers")]
    names = [reference.normalize(_text(name, "RepoTags")) for name in _list(row.get("RepoTags") or [], "RepoTags")]
    return Candidate(Blob(_text(row.get("Config"), "Config")), layers, None, names)


def _oci(archive: Archive) -> list[Candidate]:
    found: list[Candidate] = []
    by_name: dict[Optional[reference.Reference], list[Mapping[str, Any]]] = {}
    for descriptor in _descriptors(archive.document("index.json"), "index.json", "manifests"):
        by_name.setdefault(_name(descriptor), []).append(descriptor)
    for name, descriptors in by_name.items():
        # Without a name, each is an image of its own unless they are one image for several platforms.
        groups = (
            [[one] for one in descriptors] if name is None and not any("platform" in one for one in descriptors) else [descriptors]
        )
        found += [_manifest(archive, group, [name] if name else [], 0) for group in groups]
    if not found:
        raise InvalidInput("index.json in the archive names no image")
    return found


def _manifest(
    archive: Archive, descriptors: Sequence[Mapping[str, Any]], names: list[reference.Reference], depth: int
) -> Candidate:
    if depth > INDEX_DEPTH:
        raise InvalidInput("the archive's indexes are nested too deeply")
    blob = _blob(_choose(descriptors))
    data = archive.read(blob.path)
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != blob.digest:
        raise InvalidInput(f"{blob.path!r} in the archive is damaged: its digest is another")
    document = _mapping(parse_document(data, blob.path), blob.path)
    if document.get("mediaType") in INDEXES or "manifests" in document:
        return _manifest(archive, _descriptors(document, blob.path, "manifests"), names, depth + 1)
    config = _blob(_mapping(document.get("config"), blob.path))
    return Candidate(config, [_blob(layer) for layer in _descriptors(document, blob.path, "layers")], blob, names)


def _choose(descriptors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one for this host; one that names no platform suits any."""
    machine = os.uname().machine
    architecture = ARCHITECTURES.get(machine, machine)
    offered = []
    for descriptor in descriptors:
        platform = descriptor.get("platform")
        if not isinstance(platform, dict):
            return descriptor
        if platform.get("os") == "linux" and platform.get("architecture") == architecture:
            return descriptor
        offered.append(f"{platform.get('os')}/{platform.get('architecture')}")
    # A single image is loaded even so, as Docker does: it may be meant for an emulator, or for another host.
    if len(descriptors) == 1 and offered != ["unknown/unknown"]:
        return descriptors[0]
    raise InvalidInput(f"the archive holds no image for linux/{architecture}, only for {', '.join(offered) or 'nothing'}")


def _name(descriptor: Mapping[str, Any]) -> Optional[reference.Reference]:
    annotations = descriptor.get("annotations")
    if not isinstance(annotations, dict):
        return None
    if NAME in annotations:
        return reference.normalize(_text(annotations[NAME], NAME))
    name = _text(annotations.get(REF_NAME, ""), REF_NAME)
    # A tag by itself, as OCI layouts often have it, says nothing of the repository.
    return reference.normalize(name) if ":" in name or "/" in name else None


def _blob(descriptor: Mapping[str, Any]) -> Blob:
    digest, size = check_digest(descriptor.get("digest")), descriptor.get("size")
    if not isinstance(size, int) or size < 0:
        raise InvalidInput(f"the size of {digest} in the archive is no number")
    return Blob(posixpath.join("blobs", digest.replace(":", "/")), digest, size)


def _descriptors(document: Any, name: str, key: str) -> list[Mapping[str, Any]]:
    return [_mapping(one, name) for one in _list(_mapping(document, name).get(key) or [], name)]


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{name!r} in the archive is malformed: an object is missing")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"{name!r} in the archive is malformed: a list is missing")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name!r} in the archive is malformed: a string is missing")
    return value
