"""An unpacked tar.gz on disk: laid out aside without escapes, described by the digests of its files, swapped into place."""

import os
import stat

from fleet.agent import atomic
from fleet.agent.document import digest
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from typing import IO, Dict, List, Mapping

RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
RENAME_EXCHANGE = 2
AT_FDCWD = -100
BYTE_CODE = "__pycache__"


def unpack(stream: "IO[bytes]", folder: str) -> None:
    """Lay a tar.gz out in a new directory: regular files, directories and links that stay inside, root's, no set-id bits.

    Raises:
        AgentError: a member is none of these, or its name leads out.
        OSError: the disk refuses.
    """
    import tarfile  # slow to import, like ctypes and shutil below: a run without changes does without

    os.mkdir(folder, 0o755)
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                _place(archive, member, folder)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise AgentError("the archive cannot be read", str(error), "make it anew: ./inv bundle for the runtime's") from error


def _place(archive: "tarfile.TarFile", member: "tarfile.TarInfo", folder: str) -> None:
    import shutil

    name = os.path.normpath(member.name)
    if name == ".":
        return
    path = os.path.join(folder, name)
    if name.startswith((os.sep, "..")) or not _within(folder, os.path.dirname(path)):
        raise AgentError("the archive's member {} leads out of it".format(member.name))
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    if member.isdir():
        os.makedirs(path, 0o755, exist_ok=True)
    elif member.issym():
        if not _within(folder, os.path.join(os.path.dirname(path), member.linkname)):
            raise AgentError("the archive's link {} leads out of it".format(member.name), member.linkname)
        os.symlink(member.linkname, path)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None  # a regular file's
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            os.fchmod(descriptor, member.mode & 0o755 | 0o644)
    else:
        raise AgentError("the archive's member {} is neither file, directory nor symbolic link".format(member.name))


def _within(folder: str, path: str) -> bool:
    real = os.path.realpath(path)
    return real == os.path.realpath(folder) or real.startswith(os.path.realpath(folder) + os.sep)


def lay_links(folder: str, links: "Mapping[str, str]") -> None:
    """Add symbolic links, each by its path in the directory.

    Raises:
        AgentError: one leads out, or is there already.
    """
    for name, target in sorted(links.items()):
        path = os.path.join(folder, os.path.normpath(name))
        if not _within(folder, os.path.dirname(path)) or os.path.lexists(path):
            raise AgentError("the link {} cannot be laid in the archive's directory".format(name))
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.symlink(target, path)


def describe(folder: str) -> "Dict[str, str]":
    """Every entry below a directory: a file's mode, owner and sha256, a link's target, a directory's mode and owner."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            kind = "{:o} {}:{}".format(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
            if stat.S_ISLNK(status.st_mode):
                kind = "link " + os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                kind = "file {} {}".format(kind, digest(path))
            else:
                kind = ("directory " if stat.S_ISDIR(status.st_mode) else "special ") + kind
            found[os.path.relpath(path, folder)] = kind
    return found


def drift(wanted: "Mapping[str, str]", found: "Mapping[str, str]") -> "List[str]":
    """What is missing, changed or a stray, a line each. Byte code that an interpreter added is no stray."""
    lines = []
    for name in sorted(set(wanted) | set(found)):
        if name not in found:
            lines.append("missing: {}".format(name))
        elif name not in wanted:
            if not is_byte_code(name, found[name]):
                lines.append("stray: {}".format(name))
        elif wanted[name] != found[name]:
            lines.append("changed: {}".format(name))
    return lines


def is_byte_code(name: str, kind: str) -> bool:
    """Whether an entry is what an interpreter keeps of the sources; a link never is."""
    return BYTE_CODE in name.split(os.sep) and not kind.startswith("link")


def swap(new: str, path: str) -> None:
    """Put directory `new` in place of `path`, at once where the kernel can, and remove the old one.

    Between the two renames of an older kernel `path` is missing: the next run sees that and unpacks again.
    """
    import shutil

    _sync(new)
    if not os.path.lexists(path):
        os.rename(new, path)
        atomic.sync_directory(os.path.dirname(path))
        return
    if not _exchange(new, path):
        old = atomic.aside(path)
        os.rename(path, old)
        os.rename(new, path)
        new = old
    atomic.sync_directory(os.path.dirname(path))
    shutil.rmtree(new)


def _exchange(one: str, other: str) -> bool:
    number = RENAMEAT2.get(os.uname().machine)
    if number is None:
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    pair = (ctypes.c_char_p(os.fsencode(one)), ctypes.c_char_p(os.fsencode(other)))
    done = library.syscall(ctypes.c_long(number), AT_FDCWD, pair[0], AT_FDCWD, pair[1], ctypes.c_uint(RENAME_EXCHANGE))
    return bool(done == 0)


def _sync(folder: str) -> None:
    """Make all of a directory durable with one call for its whole file system."""
    import ctypes

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None).syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)
