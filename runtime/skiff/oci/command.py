"""Finds the program to exec inside the container's root, and says in runc's words when it cannot be run."""

from __future__ import annotations

import errno
import os

from skiff.oci import failure

DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TYPE, _DIRECTORY, _ANY_EXECUTE = 0o170000, 0o040000, 0o111


def find(name: bytes, path: bytes | None) -> tuple[bytes, int]:
    """The program's path and 0, or a number that says what is wrong."""
    if b"/" in name:
        return name, _problem(name)
    for directory in (DEFAULT_PATH if path is None else path).split(b":"):
        candidate = (directory or b".") + b"/" + name
        if _problem(candidate) == 0:
            return candidate, 0
    return name, failure.NOT_IN_PATH


def _problem(path: bytes) -> int:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.ENOENT
    if mode & _TYPE == _DIRECTORY:
        return failure.IS_DIRECTORY
    return 0 if mode & _ANY_EXECUTE else errno.EACCES


def message(name: str, number: int) -> str:
    """Why `name` cannot be run; clients match on these words."""
    if number == failure.NOT_IN_PATH:
        return f'exec: "{name}": executable file not found in $PATH'
    if number == failure.IS_DIRECTORY:
        return f'exec: "{name}": is a directory'
    if number == errno.EACCES:
        return f'exec: "{name}": permission denied'
    return f'exec: "{name}": stat {name}: {failure.describe(number)}'
