"""Unpacked layers by chain ID: each whole and verified, or absent.

    l/<LINK>                          -> ../snapshots/overlay/layers/<hex>/fs; short, for mount(2) takes one page of options
    snapshots/overlay/
        layers/<hex of chain ID>/
            layer.json                {"chain", "parent", "diff", "size", "link", "opaque"}
            fs/                       the layer's own files, whiteouts and opaque marks as overlay has them
        ingest/<random>/              one that is being unpacked, or removed; litter once its process has gone

A layer is unpacked aside, synced, and renamed once its diffID is verified.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import string
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Optional

from skiff.errors import InvalidInput, NotFound, SkiffError
from skiff.linux.libc import LIBC, check
from skiff.snapshot import deletion, usage
from skiff.snapshot.tarstream import CHUNK, Source, TarStream
from skiff.snapshot.unpack import Unpacker, is_opaque

RECORD = "layer.json"
_ALPHABET = string.ascii_uppercase + string.digits
_LINK_LENGTH = 4


@dataclass(frozen=True)
class Layer:
    """An unpacked layer; `size` is what its own files take, `opaque` tells that it hides all layers below."""

    chain: str
    parent: Optional[str]
    diff: str
    size: int
    link: str
    opaque: bool = False


def chain_id(parent: Optional[str], diff_id: str) -> str:
    """OCI's name for a layer on top of others."""
    if parent is None:
        return diff_id
    return f"sha256:{hashlib.sha256(f'{parent} {diff_id}'.encode()).hexdigest()}"


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain ID of each layer of an image, lowest first."""
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(chain_id(chains[-1] if chains else None, diff_id))
    return chains


class Digesting:
    """Passes a stream on and knows its digest."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Read, and count in what was read."""
        data = self._source.read(size)
        self._sha256.update(data)
        return data

    def verify(self, diff_id: str) -> None:
        """Read to the end; the whole must have this digest."""
        while self.read(CHUNK):
            pass
        found = f"sha256:{self._sha256.hexdigest()}"
        if found != diff_id:
            raise InvalidInput(f"layer {diff_id} is damaged: its bytes have the diffID {found}")


class LayerStore:
    """The layers of a data root."""

    def __init__(self, data_root: str) -> None:
        self.root = os.path.join(data_root, "snapshots", "overlay")
        self._links = os.path.join(data_root, "l")
        self._layers = os.path.join(self.root, "layers")
        self.ingest = os.path.join(self.root, "ingest")
        for directory in (self._links, self._layers, self.ingest):
            os.makedirs(directory, mode=0o700, exist_ok=True)

    def has(self, chain: str) -> bool:
        """Whether a layer is unpacked."""
        return os.path.isdir(self._path(chain))

    def layer(self, chain: str) -> Layer:
        """An unpacked layer's record."""
        path = os.path.join(self._path(chain), RECORD)
        try:
            with open(path, encoding="utf-8") as file:
                return Layer(**json.load(file))
        except FileNotFoundError:
            raise NotFound(f"layer {chain} is not unpacked") from None
        except (TypeError, ValueError) as error:
            directory = os.path.dirname(path)
            raise SkiffError(f"{path} is damaged ({error}); stop skiffd, remove {directory} and load the image again") from None

    def link(self, layer: Layer) -> str:
        """The short path of a layer's files."""
        return os.path.join(self._links, layer.link)

    def files(self, chain: str) -> str:
        """The directory of a layer's files."""
        return os.path.join(self._path(chain), "fs")

    def graph(self, chain: Sequence[str]) -> Optional[dict[str, str]]:
        """Where a chain's directories lie, in the words of dockerd's overlay2; of an image `merged` and `work` are only names."""
        if not chain:
            return None
        files = [self.files(one) for one in reversed(chain)]
        top = os.path.dirname(files[0])
        found = {"LowerDir": ":".join(files[1:])} if files[1:] else {}
        return {**found, "MergedDir": os.path.join(top, "merged"), "UpperDir": files[0], "WorkDir": os.path.join(top, "work")}

    def unpack(self, parents: Sequence[str], diff_id: str, source: Source) -> Layer:
        """Unpack an uncompressed tar stream onto the chain `parents` (lowest first); one that is there is verified only."""
        chain = chain_id(parents[-1] if parents else None, diff_id)
        stream = Digesting(source)
        if self.has(chain):
            stream.verify(diff_id)
            return self.layer(chain)
        aside = tempfile.mkdtemp(dir=self.ingest)
        try:
            size = self._fill(os.path.join(aside, "fs"), parents, diff_id, stream)
            return self._adopt(aside, parents, diff_id, chain, size)
        finally:
            deletion.discard(aside)

    def remove(self, chain: str) -> None:
        """Remove a layer."""
        link = self.link(self.layer(chain))
        self.put_away(self._path(chain))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)

    def put_away(self, directory: str) -> None:
        """Remove a directory: gone in one step, its files afterwards; of those that resist recover() tells."""
        # No new directory for it: a full disk may have no room for one.
        aside = os.path.join(self.ingest, secrets.token_hex(16))
        os.rename(directory, aside)
        deletion.discard(aside)

    def chains(self) -> list[str]:
        """Every unpacked layer."""
        return [f"sha256:{name}" for name in os.listdir(self._layers)]

    def recover(self) -> list[str]:
        """Remove litter of processes that were killed, while nobody writes; words about what could not be removed."""
        left = deletion.sweep(self.ingest)
        for name in os.listdir(self._links):
            path = os.path.join(self._links, name)
            if not os.path.exists(path):
                try:
                    os.unlink(path)
                except OSError as error:
                    left.append(f"cannot remove {path}: {error.strerror}")
        return left

    def _fill(self, directory: str, parents: Sequence[str], diff_id: str, stream: Digesting) -> int:
        os.mkdir(directory, 0o755)
        unpacker = Unpacker(directory, [self.files(parent) for parent in reversed(parents)])
        try:
            unpacker.run(TarStream(stream))
            stream.verify(diff_id)
        finally:
            unpacker.close()
        return usage.measure(directory).size

    def _adopt(self, aside: str, parents: Sequence[str], diff_id: str, chain: str, size: int) -> Layer:
        """Make a layer of a directory in ingest/ that has the files in fs/; somebody else's equal one may win."""
        layer = Layer(
            chain, parents[-1] if parents else None, diff_id, size, self._new_link(chain), is_opaque(os.path.join(aside, "fs"))
        )
        with open(os.path.join(aside, RECORD), "w", encoding="utf-8") as file:
            json.dump(asdict(layer), file)
        _sync_filesystem(aside)
        try:
            os.rename(aside, self._path(chain))
        except OSError as error:
            os.unlink(os.path.join(self._links, layer.link))
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            return self.layer(chain)
        _sync_filesystem(self._layers)
        return layer

    def _path(self, chain: str) -> str:
        algorithm, _, name = chain.partition(":")
        if algorithm != "sha256" or len(name) != 64 or not set(name) <= set(string.hexdigits.lower()):
            raise InvalidInput(f"{chain[:80]!r} is no sha256 digest")
        return os.path.join(self._layers, name)

    def _new_link(self, chain: str) -> str:
        target = os.path.relpath(self.files(chain), self._links)
        while True:
            name = "".join(secrets.choice(_ALPHABET) for _ in range(_LINK_LENGTH))
            with contextlib.suppress(FileExistsError):
                os.symlink(target, os.path.join(self._links, name))
                return name


def _sync_filesystem(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        check(LIBC.syncfs(fd), "syncfs", path)
    finally:
        os.close(fd)
