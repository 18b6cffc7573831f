"""images.json: which images are known and what refers to them; read whole, checked, and replaced in one step."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Optional, TypedDict

from skiff.errors import SkiffError

NAME = "images.json"
FORMAT = 1


class Stored(TypedDict):
    """What is kept of an image; `tagged` is when it last got a name."""

    manifest: Optional[str]
    layers: list[str]
    size: int
    tagged: Optional[str]


class State(TypedDict):
    """The document."""

    format: int
    images: dict[str, Stored]
    references: dict[str, str]


class Index:
    """The document in a directory, with a lock beside it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, NAME)

    def read(self) -> State:
        """What is known now."""
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            return {"format": FORMAT, "images": {}, "references": {}}
        except (ValueError, RecursionError) as error:
            raise self._damaged(str(error)) from None
        if not isinstance(found, dict) or not all(isinstance(found.get(key), dict) for key in ("images", "references")):
            raise self._damaged("images or references are missing")
        # The number came after the first files.
        number = found.setdefault("format", FORMAT)
        if number != FORMAT:
            raise SkiffError(
                f"{self._path} was written by a newer Skiff (its format is {number}, this version reads {FORMAT}); "
                "deploy that version again"
            )
        state: State = {"format": FORMAT, "images": found["images"], "references": found["references"]}
        if not set(state["references"].values()) <= set(state["images"]):
            raise self._damaged("a reference names an unknown image")
        return state

    @contextlib.contextmanager
    def changing(self) -> Iterator[State]:
        """What is known now, to be changed; written when the block ends without an error."""
        with locked(os.path.join(self._directory, "lock"), fcntl.LOCK_EX):
            state = self.read()
            yield state
            with open(f"{self._path}.new", "w", encoding="utf-8") as file:
                json.dump(state, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{self._path}.new", self._path)
            _sync_directory(self._directory)

    def _damaged(self, reason: str) -> SkiffError:
        return SkiffError(
            f"{self._path} is damaged ({reason}); put back a copy of it, or stop skiffd, remove it and load the images again"
        )


@contextlib.contextmanager
def locked(path: str, operation: int) -> Iterator[None]:
    """While a lock file is held."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
