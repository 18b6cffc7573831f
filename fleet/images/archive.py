"""Image archives on the control machine: what docker's manifest.json or OCI's index.json names, and whether it is whole."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import posixpath
import re
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Literal, Mapping, Optional, Sequence, Tuple, cast

from fleet.errors import UsageError

CHUNK = 1 << 20
DOCUMENT = 4 << 20  # bytes of a member that may be JSON which is looked at
DOCUMENTS = 64 << 20  # of all of them
MEMBERS = 100_000
LINKS = 8
DEPTH = 4
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
OPENERS: Dict[bytes, Callable[[Path, Literal["rb"]], Any]] = {GZIP: gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
NAME, REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
ATTESTATION = "vnd.docker.reference.type"
CURE = "save it again: docker save -o FILE IMAGE, skopeo copy ... docker-archive:FILE or oci-archive:FILE"


class Fault(Exception):
    """What is wrong with an archive."""


@dataclass
class Member:
    """A file in the archive: digests of its bytes and of what they hold unpacked, which of zstd is not known.

    `text` is a small document's; `link` another name.
    """

    sha256: str = ""
    unpacked: int = 0
    diff_id: Optional[str] = ""
    text: Optional[bytes] = None
    link: str = ""


@dataclass(frozen=True)
class Image:
    """An image of the archive. `config` and `layers` are members' names, `digest` is that of its configuration."""

    digest: str
    names: Tuple[str, ...]
    config: str
    layers: Tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What an archive holds. `unpacked` counts the bytes of all layers; `manifest` is whether it has a manifest.json."""

    images: Tuple[Image, ...]
    unpacked: int
    manifest: bool


def read(path: Path) -> Found:
    """Everything that the archive holds, read once to its end.

    Raises:
        UsageError: it is no image archive, or anything that an image needs is missing or damaged.
    """
    try:
        with unpacked(path) as stream:
            members = Members(stream)
        docker = members.has("manifest.json")
        images = list(_docker(members) if docker else _oci(members))
        if not images:
            raise Fault("it names no image")
        sizes = {layer: size for image in images for layer, size in _checked(members, image)}
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except (Fault, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"{path}: is no whole image archive: {error}", resolution=CURE) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}", resolution=CURE) from error
    return Found(tuple(images), sum(sizes.values()), docker)


def magic(path: Path) -> bytes:
    """The mark of a compressed file, or nothing."""
    with path.open("rb") as stream:
        head = stream.read(6)
    return next((mark for mark in (*OPENERS, ZSTD) if head.startswith(mark)), b"")


def unpacked(path: Path) -> IO[bytes]:
    """The archive without its compression."""
    mark = magic(path)
    if mark == ZSTD:
        raise Fault("it is compressed by zstd, which Skiff's engine does not read; unpack it with `zstd -d`")
    return cast("IO[bytes]", OPENERS[mark](path, "rb")) if mark else path.open("rb")


class Members:
    """The files of an archive by name."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._members: Dict[str, Member] = {}
        held = 0
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for entry in tar:
                member = self._members[posixpath.normpath(entry.name)] = _member(tar, entry)
                held += len(member.text or b"")
                if len(self._members) > MEMBERS or held > DOCUMENTS:
                    raise Fault("it holds too many files for one of images")
                tar.members = []  # type: ignore[attr-defined] # else tarfile keeps each
        while stream.read(CHUNK):
            pass  # a compressed file proves itself at its end

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._find(name) is not None

    def get(self, name: str) -> Member:
        """A file that must be there."""
        found = self._find(name)
        if found is None:
            raise Fault(f"{name} is missing")
        return found

    def document(self, name: str) -> Any:
        """A file that must hold JSON."""
        text = self.get(name).text
        try:
            return json.loads(text or b"")
        except (ValueError, RecursionError) as error:
            raise Fault(f"{name} is not JSON") from error

    def _find(self, name: str) -> Optional[Member]:
        for _ in range(LINKS):
            found = self._members.get(posixpath.normpath(name))
            if found is None or not found.link:
                return found
            name = found.link
        return None


def _member(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Member:
    if entry.issym():
        return Member(link=posixpath.join(posixpath.dirname(entry.name), entry.linkname))
    if entry.islnk():
        return Member(link=entry.linkname)
    stream = tar.extractfile(entry) if entry.isreg() else None
    if stream is None:
        return Member()
    whole, inner, kept, size = hashlib.sha256(), Inner(), b"", 0
    for chunk in iter(lambda: stream.read(CHUNK), b""):
        whole.update(chunk)
        inner.feed(chunk)
        size += len(chunk)
        kept = kept + chunk if entry.size <= DOCUMENT else b""
    if size != entry.size:
        raise Fault(f"{entry.name} is cut short")
    text = kept if kept.lstrip()[:1] in (b"{", b"[") else None
    return Member(whole.hexdigest(), inner.size, inner.digest(), text)


class Inner:
    """What a file holds once it is unpacked by gzip, if it is packed: its size and digest."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._unzip: Any = None
        self._begun = self._damaged = self._zstd = False
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the file."""
        if not self._begun:
            self._begun, self._zstd = True, chunk.startswith(ZSTD)
            self._unzip = zlib.decompressobj(31) if chunk.startswith(GZIP) else None
        if self._unzip is None:
            self._take(chunk)
        elif not self._damaged:
            try:
                self._unpack(chunk)
            except zlib.error:
                self._damaged = True  # it matters only where an image names the file

    def digest(self) -> Optional[str]:
        """The digest; empty for what is damaged or cut short, None for what nothing here unpacks."""
        if self._zstd:
            return None
        whole = self._unzip is None or (self._unzip.eof and not self._damaged)
        return self._digest.hexdigest() if whole else ""

    def _take(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)

    def _unpack(self, chunk: bytes) -> None:
        while chunk:
            if self._unzip.eof:
                self._unzip = zlib.decompressobj(31)
            self._take(self._unzip.decompress(chunk, CHUNK))
            chunk = self._unzip.unused_data or self._unzip.unconsumed_tail


def _docker(members: Members) -> Iterator[Image]:
    for row in _items(members.document("manifest.json"), "manifest.json"):
        config, names, layers = row.get("Config"), row.get("RepoTags") or [], row.get("Layers") or []
        if not isinstance(config, str) or not all(isinstance(each, str) for each in (*names, *layers)):
            raise Fault("manifest.json is not as docker save writes it")
        told = re.search(r"\b[0-9a-f]{64}\b", config)
        digest = members.get(config).sha256
        if told and told[0] != digest:
            raise Fault(f"{config} is damaged: its digest is another")
        yield Image(f"sha256:{digest}", tuple(names), config, tuple(layers))


def _oci(members: Members) -> Iterator[Image]:
    if not members.has("index.json"):
        raise Fault("it has neither manifest.json nor index.json")
    groups: Dict[str, List[Tuple[str, Any]]] = {}
    for number, one in enumerate(_items(members.document("index.json").get("manifests"), "index.json")):
        name = _name(one)
        # Without a name, each is an image of its own, unless they are one image for several platforms.
        group = groups.setdefault(name or ("" if "platform" in one else f" {number}"), [])
        group += _manifests(members, one, 0)
    for name, found in groups.items():
        if not found:
            raise Fault(f"nothing of {name.strip() or 'its image'} is in it but the index")
        if len(found) > 1:
            raise Fault(f"{name.strip() or 'its image'} is there for {len(found)} platforms: save it with --platform")
        config, layers = found[0][1]["config"], found[0][1].get("layers") or []
        blobs = tuple(_blob(members, layer) for layer in layers)
        yield Image(str(config["digest"]), (name,) if name.strip() else (), _blob(members, config), blobs)


def _manifests(members: Members, descriptor: Mapping[str, Any], depth: int) -> List[Tuple[str, Any]]:
    """The image manifests below a descriptor that the archive holds, without attestations."""
    path = _path(descriptor)
    annotations = descriptor.get("annotations") or {}
    if ATTESTATION in annotations or (descriptor.get("platform") or {}).get("os") == "unknown" or not members.has(path):
        return []
    if depth > DEPTH:
        raise Fault("its indexes are nested too deeply")
    document = members.document(_blob(members, descriptor))
    if "manifests" in document:
        return [found for one in _items(document["manifests"], path) for found in _manifests(members, one, depth + 1)]
    if not isinstance(document.get("config"), dict) or not members.has(_path(document["config"])):
        return []
    return [(path, document)]


def _name(descriptor: Mapping[str, Any]) -> str:
    """The image's name; a tag by itself, as OCI layouts often have it, says nothing of the repository."""
    annotations = descriptor.get("annotations") or {}
    name = str(annotations.get(NAME) or annotations.get(REF_NAME) or "")
    return name if NAME in annotations or ":" in name or "/" in name else ""


def _path(descriptor: Mapping[str, Any]) -> str:
    digest = str(descriptor.get("digest"))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Fault(f"{digest!r} is no digest")
    return f"blobs/sha256/{digest[7:]}"


def _blob(members: Members, descriptor: Mapping[str, Any]) -> str:
    path = _path(descriptor)
    if f"blobs/sha256/{members.get(path).sha256}" != path:
        raise Fault(f"{path} is damaged: its digest is another")
    return path


def _items(value: object, name: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Fault(f"{name} is not as the format has it")
    return value


def _checked(members: Members, image: Image) -> Iterator[Tuple[str, int]]:
    """Each layer with its size unpacked.

    Raises:
        Fault: one is missing, or is not what the image's configuration names.
    """
    document = members.document(image.config)
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    diff_ids = (rootfs.get("diff_ids") if isinstance(rootfs, dict) else None) or []
    if len(diff_ids) != len(image.layers):
        raise Fault(f"{image.config} has {len(diff_ids)} layers, and the archive names {len(image.layers)}")
    for layer, diff_id in zip(image.layers, diff_ids):
        member = members.get(layer)
        named = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})", posixpath.normpath(layer))
        if (named and named[1] != member.sha256) or (member.diff_id is not None and diff_id != f"sha256:{member.diff_id}"):
            raise Fault(f"the layer {layer} is damaged: its digest is another")
        yield layer, member.unpacked
