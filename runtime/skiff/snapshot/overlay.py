"""Containers' root file systems as overlay mounts over unpacked layers, in containerd's words.

    snapshots/overlay/
        lock                    held while snapshots come to be and while layers are collected
        empty/                  the lower directory where a mount has too few others
        active/<key>/
            snapshot.json       {"kind": "active" | "view", "chain": [chain IDs, lowest first]}
            upper/ work/        absent for a view

Nothing is mounted here: a mount is described, for whoever has the mount namespace. Layers: see layers.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Sequence
from typing import TypedDict

from skiff.errors import Conflict, InvalidInput, NotFound, SkiffError
from skiff.snapshot import deletion, layers, usage

RECORD = "snapshot.json"
# mount(2) copies one page of options, the final NUL included.
OPTIONS_LIMIT = 4095
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Mount(TypedDict):
    """A mount in OCI's form, its destination left to the caller."""

    type: str
    source: str
    options: list[str]


class Overlay:
    """Snapshots by key, each on a chain of layers."""

    def __init__(self, data_root: str) -> None:
        if set(data_root) & set(":,\\"):
            raise InvalidInput(
                f"data-root {data_root!r}: overlay mounts allow no colon, comma or backslash in it; choose another path"
            )
        self.layers = layers.LayerStore(os.path.abspath(data_root))
        self._active = os.path.join(self.layers.root, "active")
        self._empty = os.path.join(self.layers.root, "empty")
        os.makedirs(self._active, mode=0o711, exist_ok=True)
        os.makedirs(self._empty, mode=0o755, exist_ok=True)

    def prepare(self, key: str, chain: Sequence[str]) -> list[Mount]:
        """A writable snapshot on a chain of layers (chain IDs, lowest first), and its mounts."""
        return self._create(key, chain, "active")

    def view(self, key: str, chain: Sequence[str]) -> list[Mount]:
        """A read-only snapshot, and its mounts."""
        return self._create(key, chain, "view")

    def mounts(self, key: str) -> list[Mount]:
        """The mounts of a snapshot."""
        record = self._record(key)
        directory = self._path(key)
        lowers = self._lowers(record["chain"])
        # A read-only overlay needs two lower directories, a writable one needs one.
        if len(lowers) < (2 if record["kind"] == "view" else 1):
            lowers.append(self._empty)
        options = [f"lowerdir={':'.join(lowers)}"]
        if record["kind"] == "active":
            options += [f"upperdir={os.path.join(directory, 'upper')}", f"workdir={os.path.join(directory, 'work')}"]
        if len(os.fsencode(",".join(options))) > OPTIONS_LIMIT:
            raise InvalidInput(f"the mount of {len(lowers)} layers does not fit a page; choose a shorter data-root")
        return [{"type": "overlay", "source": "overlay", "options": options}]

    def remove(self, key: str) -> None:
        """Forget a snapshot and what was written to it; it must not be mounted. One that is unknown is gone already."""
        with contextlib.suppress(FileNotFoundError):
            self.layers.put_away(self._path(key))

    def usage(self, key: str) -> usage.Usage:
        """What was written to a snapshot."""
        self._record(key)
        return usage.measure(os.path.join(self._path(key), "upper"))

    def keys(self) -> list[str]:
        """Every snapshot."""
        return os.listdir(self._active)

    def collect(self, keep: Sequence[str]) -> list[str]:
        """Remove the layers that are neither in `keep` nor below a snapshot; those removed."""
        with self._locked():
            used = set(keep).union(*(self._record(key)["chain"] for key in self.keys()))
            unused = [chain for chain in self.layers.chains() if chain not in used]
            for chain in unused:
                self.layers.remove(chain)
        return unused

    def recover(self) -> list[str]:
        """Remove litter of processes that were killed, while nobody writes; words about what could not be removed."""
        for key in self.keys():
            if not os.path.exists(os.path.join(self._path(key), RECORD)):
                self.remove(key)
        return self.layers.recover()

    def _lowers(self, chain: Sequence[str]) -> list[str]:
        """The layers' directories, topmost first."""
        lowers = []
        for name in reversed(chain):
            layer = self.layers.layer(name)
            lowers.append(self.layers.link(layer))
            # The kernel passes over an opaque mark on a layer's own root.
            if layer.opaque:
                break
        return lowers

    def _create(self, key: str, chain: Sequence[str], kind: str) -> list[Mount]:
        directory = self._path(key)
        aside = tempfile.mkdtemp(dir=self.layers.ingest)
        try:
            with self._locked():
                self._fill(aside, chain, kind)
                if os.path.exists(directory):
                    raise Conflict(f"snapshot {key} exists already")
                os.rename(aside, directory)
        finally:
            deletion.discard(aside)
        try:
            return self.mounts(key)
        except BaseException:
            self.remove(key)
            raise

    def _fill(self, directory: str, chain: Sequence[str], kind: str) -> None:
        for layer in chain:
            self.layers.layer(layer)
        if kind == "active":
            upper = os.path.join(directory, "upper")
            os.mkdir(upper)
            os.mkdir(os.path.join(directory, "work"), 0o711)
            # The merged root takes owner and mode from the upper directory.
            model = os.stat(self.layers.files(chain[-1]) if chain else self._empty)
            os.chown(upper, model.st_uid, model.st_gid)
            os.chmod(upper, stat.S_IMODE(model.st_mode))
        with open(os.path.join(directory, RECORD), "w", encoding="utf-8") as file:
            json.dump({"kind": kind, "chain": list(chain)}, file)

    def _record(self, key: str) -> _Record:
        path = os.path.join(self._path(key), RECORD)
        try:
            with open(path, encoding="utf-8") as file:
                record: _Record = json.load(file)
        except FileNotFoundError:
            raise NotFound(f"snapshot {key} does not exist") from None
        except ValueError as error:
            raise SkiffError(f"{path} is damaged ({error}); remove the container {key}, whose root it describes") from None
        return record

    def _path(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise InvalidInput(f"{key!r} is no snapshot key")
        return os.path.join(self._active, key)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(os.path.join(self.layers.root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


class _Record(TypedDict):
    kind: str
    chain: list[str]
