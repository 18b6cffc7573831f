"""Containers on disk: their records, written once and safely before a create is answered, and their states.

    containers/<id>/config.json      the record; fsynced, renamed into place
    containers/<id>/state.json       the last state; renamed, not synced: a power cut may lose the last change only
    containers/<id>/<id>-json.log    written by the shim
    containers/<id>/{hosts,hostname,resolv.conf}

A directory without config.json is a create that was cut, and is removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from dataclasses import asdict
from typing import Any, Optional

from skiff.engine.container import Container, Record, State

LOG = logging.getLogger("skiff.engine.records")
CONFIG = "config.json"
STATE = "state.json"


class Records:
    """The directory containers/ of a data root; its one user is the engine that holds the root's lock."""

    def __init__(self, data_root: str) -> None:
        self._root = os.path.join(data_root, "containers")
        os.makedirs(self._root, mode=0o710, exist_ok=True)

    def directory(self, identity: str) -> str:
        """Where a container's files lie."""
        return os.path.join(self._root, identity)

    def add(self, container: Container) -> None:
        """Write a new container; it exists once this returns, whatever happens to the machine."""
        os.mkdir(container.directory, 0o710)
        try:
            _write(os.path.join(container.directory, CONFIG), asdict(container.record), sync=True)
            for directory in (container.directory, self._root):
                _sync_directory(directory)
        except BaseException:
            shutil.rmtree(container.directory, ignore_errors=True)
            raise

    def save(self, container: Container) -> None:
        """Write the state."""
        _write(os.path.join(container.directory, STATE), asdict(container.state), sync=False)

    def remove(self, container: Container) -> None:
        """Forget a container: the record first, so that a cut leaves nothing that looks like one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(container.directory, CONFIG))
        shutil.rmtree(container.directory, ignore_errors=True)

    def identities(self) -> list[str]:
        """Of all that is there, also of what cannot be read."""
        return os.listdir(self._root)

    def load(self) -> list[Container]:
        """Every container there is, oldest first."""
        found = [self._load(identity) for identity in self.identities()]
        return sorted((container for container in found if container), key=lambda container: container.record.created)

    def _load(self, identity: str) -> Optional[Container]:
        directory = self.directory(identity)
        try:
            record = Record(**_read(os.path.join(directory, CONFIG)))
            if record.id != identity:
                raise ValueError(f"it is the record of {record.id}")
        except FileNotFoundError:
            LOG.warning("%s: a container whose creation was cut; removed", directory)
            shutil.rmtree(directory, ignore_errors=True)
            return None
        except (OSError, ValueError, TypeError) as error:
            LOG.error("%s: not readable as a container, left as it is: %s", directory, error)
            return None
        state = State()
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            state = State(**_read(os.path.join(directory, STATE)))
        return Container(record, directory, state)


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _write(path: str, value: Any, sync: bool) -> None:
    aside = f"{path}.new"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(aside, path)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
