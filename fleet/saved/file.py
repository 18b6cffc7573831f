"""A saved plan's file: a zip archive, mode 0600, written aside, synced and renamed (docs/adr/0010-saved-plans.md).

    plan.json              who made it, when, with which roles; every other member's digest; its own digest is the archive's comment
    hosts/<number>.json    one host's part
    contents/<sha256>      a content, once for all hosts that take it

Nothing in it is a secret. What others can write is shown, and not carried out.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Dict, Iterable, List, Mapping, NoReturn

from fleet.content import CHUNK, Content
from fleet.errors import FleetError, UsageError
from fleet.saved.host import KeptHost, SavedHost
from fleet.saved.seal import elsewhere

FORMAT = 1
KIND = "skiff plan"
MANIFEST = "plan.json"
AGAIN = "make a new plan: ./inv plan --hosts ... --out FILE"
LARGEST = 64 << 20  # bytes of one document: a host's plan fits into messages of 16 MiB


@dataclass(frozen=True)
class Member:
    """A content in an archive, opened as a path is."""

    archive: Path
    stamp: int
    name: str

    def open(self, mode: str) -> IO[bytes]:  # noqa: ARG002 # as a path's
        """Its bytes."""
        return opened(self.archive, self.stamp).open(self.name)


@functools.lru_cache(maxsize=2)
def opened(path: Path, stamp: int) -> zipfile.ZipFile:  # noqa: ARG001 # another stamp is another file
    """The archive, opened once for all threads, which may read from it side by side."""
    return zipfile.ZipFile(path)


@dataclass(frozen=True)
class SavedPlan:
    """A saved plan, read and found whole. `manifest` is plan.json; hosts are read one by one."""

    path: Path
    stamp: int
    manifest: Mapping[str, Any]

    def __reduce__(self) -> NoReturn:
        raise elsewhere()

    @property
    def hosts(self) -> List[str]:
        """The hosts that it has a part for."""
        return list(self.manifest["hosts"])

    def host(self, name: str) -> SavedHost:
        """One host's part.

        Raises:
            UsageError: the file was damaged since it was read first.
        """
        entry = self.manifest["hosts"][name]
        return SavedHost.from_json(json.loads(member(opened(self.path, self.stamp), self.path, entry["member"], entry["sha256"])))

    def contents(self) -> Dict[str, Content]:
        """The contents by digest, left in the file until they are sent."""
        return {
            digest: Content(digest, size, Member(self.path, self.stamp, f"contents/{digest}"))
            for digest, size in self.manifest["contents"].items()
        }


def read(path: Path) -> SavedPlan:
    """A saved plan, every byte of it checked.

    Raises:
        UsageError: it cannot be read, is none, is damaged or too new.
    """
    try:
        stamp = path.stat().st_mtime_ns
        plan = SavedPlan(path, stamp, manifest(opened(path, stamp), path))
        check(plan)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{path}: is no saved plan, or is damaged: {error}", resolution=AGAIN) from error
    return plan


def refuse_shared(plan: SavedPlan) -> None:
    """Insists that nobody else can write a plan that is to be carried out: the very file that was read, whatever is there now.

    Raises:
        UsageError: somebody can.
    """
    stream = opened(plan.path, plan.stamp).fp
    assert stream is not None, "it was just read"
    found = os.fstat(stream.fileno())
    if found.st_mode & 0o022 or found.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"{plan.path}: others can write it, and what it says is done as root",
            resolution=f"look at it with --show; then make it yours alone: chown, chmod 600 {plan.path}",
        )


def manifest(archive: zipfile.ZipFile, path: Path) -> Dict[str, Any]:
    """What plan.json says.

    Raises:
        UsageError: it is not of this format.
    """
    if MANIFEST not in archive.namelist():
        raise UsageError(f"{path}: is no saved plan", resolution=AGAIN)
    document = json_object(member(archive, path, MANIFEST, archive.comment.decode("ascii", "replace")), path)
    number = document.get("format")
    if document.get("kind") != KIND or not isinstance(number, int):
        raise UsageError(f"{path}: is no saved plan", resolution=AGAIN)
    if number != FORMAT:
        cure = "apply it with the version of Skiff that made it, or " + AGAIN
        raise UsageError(f"{path}: is of format {number}, and this Skiff reads format {FORMAT}", resolution=cure)
    return document


def check(plan: SavedPlan) -> None:
    """Reads all of the file once.

    Raises:
        UsageError: something is missing or is not what plan.json says.
    """
    archive = opened(plan.path, plan.stamp)
    try:
        for name in plan.manifest["hosts"].keys():  # noqa: SIM118 # a list has none
            plan.host(name)
        for digest in plan.manifest["contents"]:
            with archive.open(f"contents/{digest}") as stream:
                found = hashlib.sha256()
                for chunk in iter(lambda: stream.read(CHUNK), b""):
                    found.update(chunk)
            if found.hexdigest() != digest:
                damaged(plan.path, f"contents/{digest}")
        for name in ("run", "who", "made", "roles", "role_path", "set", "inputs", "key", "left_out"):
            plan.manifest[name]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{plan.path}: is damaged: {type(error).__name__}: {error}", resolution=AGAIN) from error


def member(archive: zipfile.ZipFile, path: Path, name: str, digest: str) -> bytes:
    """A document's bytes, if they are those of the digest.

    Raises:
        UsageError: they are not, or are too many.
    """
    if archive.getinfo(name).file_size > LARGEST:
        raise UsageError(f"{path}: {name} has more than {LARGEST >> 20} MiB: this is no saved plan", resolution=AGAIN)
    data = archive.read(name)
    if hashlib.sha256(data).hexdigest() != digest:
        damaged(path, name)
    return data


def damaged(path: Path, name: str) -> NoReturn:
    """Refuses a file that is not as it was written."""
    raise UsageError(f"{path}: {name} in it is not as it was written: it is damaged, or somebody changed it", resolution=AGAIN)


def json_object(data: bytes, path: Path) -> Dict[str, Any]:
    """A document's object."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is damaged: {error}", resolution=AGAIN) from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: is no saved plan", resolution=AGAIN)
    return found


def refuse_unwritable(path: Path) -> None:
    """Finds out, before any host is connected to, that a plan can be written.

    Raises:
        UsageError: it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        os.unlink(aside(path))
    except OSError as error:
        raise UsageError(f"--out: {path} cannot be written: {error.strerror}") from error


def write(path: Path, about: Mapping[str, Any], hosts: Mapping[str, KeptHost]) -> None:
    """Writes a plan, whole or not at all.

    Raises:
        FleetError: the disk refuses; what was at `path` is still there.
    """
    temporary = ""
    try:
        temporary = aside(path)
        fill(temporary, about, hosts)
        os.replace(temporary, path)
        sync(path.parent, os.O_DIRECTORY)
    except OSError as error:
        raise FleetError(f"--out: {path} cannot be written: {error.strerror}", "", "make room there and plan again") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def aside(path: Path) -> str:
    """A new empty file beside it, 0600 from its first byte on."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    return name


def fill(name: str, about: Mapping[str, Any], hosts: Mapping[str, KeptHost]) -> None:
    """Writes the archive, and makes it durable."""
    members: Dict[str, Dict[str, str]] = {}
    contents: Dict[str, int] = {}
    with zipfile.ZipFile(name, "w") as archive:
        for number, (host, kept) in enumerate(hosts.items()):
            members[host] = {"member": f"hosts/{number}.json", "sha256": hashlib.sha256(kept.document).hexdigest()}
            put(archive, f"hosts/{number}.json", [kept.document])
            for digest, content in kept.contents.items():
                if digest not in contents:
                    contents[digest] = content.size
                    put(archive, f"contents/{digest}", content.chunks())
        document = {"kind": KIND, "format": FORMAT, **about, "hosts": members, "contents": contents}
        data = json.dumps(document, indent=1, ensure_ascii=False).encode()
        put(archive, MANIFEST, [data])
        archive.comment = hashlib.sha256(data).hexdigest().encode()
    sync(Path(name))


def sync(path: Path, flags: int = 0) -> None:
    """Makes a file's bytes, or a directory's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> None:
    """One member."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with archive.open(info, "w", force_zip64=True) as stream:
        for chunk in chunks:
            stream.write(chunk)
