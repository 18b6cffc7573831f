"""A directory of things built once by the hash of their recipe.

<cache>/<kind>-<digest>/     complete, for it was renamed into place
<cache>/.<kind>-<digest>/    being built, or left by a build that was killed
<cache>/.lock                held while building, by the builder and by the programs that it started
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path
from typing import Callable

from fleet.lab import lock, mounts

UNUSED_SECONDS = 7 * 86400
Builder = Callable[[Path, int], None]


def digest(*parts: object) -> str:
    """A short hash of a recipe's parts; a path stands for its contents, so a builder can name its own source."""
    state = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else repr(part).encode()
        state.update(b"%d:" % len(data) + data)
    return state.hexdigest()[:16]


def obtain(cache: Path, kind: str, key: str, build: Builder) -> Path:
    """The directory `<kind>-<key>`, built by `build(directory, lock_fd)` unless it is there.

    The builder hands `lock_fd` to the programs that it starts: were it killed, they hold the lock until they are done.
    """
    place = cache / f"{kind}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    if not place.is_dir():
        with lock.held(cache / ".lock") as fd:
            if not place.is_dir():
                aside = cache / f".{kind}-{key}"
                _clear(cache, kind)
                aside.mkdir()
                build(aside, fd)
                aside.rename(place)
    os.utime(place)
    return place


def remove_tree(directory: Path) -> None:
    """Removes a tree that programs may have mounted things in, never crossing into another file system."""
    mounts.unmount_below(directory)
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(directory)], check=True)


def _clear(cache: Path, kind: str) -> None:
    """Removes builds that were killed, and what no lab has asked for since long."""
    for left in cache.glob(f".{kind}-*"):
        remove_tree(left)
    for old in cache.glob(f"{kind}-*"):
        if time.time() - old.stat().st_mtime > UNUSED_SECONDS and not mounts.mentions(str(old)):
            remove_tree(old)
