"""Puts a file, link or directory in its place in one step: whole and synced, or not at all."""

import binascii
import os
import stat

from fleet.agent import process
from fleet.agent.errors import from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Optional

PREFIX = ".skiff-tmp."
CONTEXT = "security.selinux"


def aside(path: str) -> str:
    """A fresh name beside `path`, of the kind that `sweep` removes."""
    random = binascii.hexlify(os.urandom(6)).decode("ascii")
    return os.path.join(os.path.dirname(path), PREFIX + random)


def write(
    path: str,
    chunks: "Iterable[bytes]",
    mode: int,
    owner: int = -1,
    group: int = -1,
    validate: "Optional[Callable[[str], None]]" = None,
) -> None:
    """Write a whole file.

    `validate` sees the finished file under another name, and keeps the old one by raising.

    Raises:
        AgentError: it cannot be written; the old file is as it was.
    """
    temporary = aside(path)
    try:
        fresh = not os.path.lexists(path)
        _fill(temporary, chunks, mode, owner, group)
        if not fresh:
            _copy_context(path, temporary)
        if validate is not None:
            validate(temporary)
        os.rename(temporary, path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error
    finally:
        _forget(temporary)
    if fresh:
        label(path)


def _fill(path: str, chunks: "Iterable[bytes]", mode: int, owner: int, group: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
        stream.flush()
        os.fchown(descriptor, owner, group)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def link(path: str, target: str) -> None:
    """Make `path` a symbolic link to `target`, in place of whatever file or link is there."""
    temporary = aside(path)
    try:
        os.symlink(target, temporary)
        os.rename(temporary, path)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        raise from_os(error, path) from error
    finally:
        _forget(temporary)
    label(path)


def sync_directory(path: str) -> None:
    """Make a directory's entries durable."""
    descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def label(path: str) -> None:
    """Give a new file the SELinux context that the policy names for it."""
    if os.path.exists("/sys/fs/selinux/enforce") and process.which("restorecon"):
        process.run(["restorecon", "-R", path])


def sweep(folder: str) -> None:
    """Remove what a killed run left in `folder`."""
    try:
        for name in os.listdir(folder):
            if name.startswith(PREFIX):
                discard(os.path.join(folder, name))
    except OSError:
        return  # no such folder yet, or not writable: what is to be written there will say so


def take_away(folder: str) -> None:
    """Remove a directory and all below it: out of its place in one step, so that a cut leaves no half of it there."""
    gone = aside(folder)
    os.rename(folder, gone)
    sync_directory(os.path.dirname(folder))
    discard(gone)


def discard(path: str) -> None:
    """Remove a file, link or tree, whichever it is."""
    if stat.S_ISDIR(os.lstat(path).st_mode):
        import shutil  # slow to import, as in all of the agent: a run without changes does without

        shutil.rmtree(path)
    else:
        os.unlink(path)


def _copy_context(source: str, target: str) -> None:
    try:
        os.setxattr(target, CONTEXT, os.getxattr(source, CONTEXT))
    except OSError:
        return  # no SELinux here, or a file system without labels


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # renamed into place, or never made
