"""The state of containers on disk, which survives any kill.

<root>/<id>/state.json    written aside and renamed; runtime state, so not synced
<root>/<id>/config.json   the specification as it was at the creation, for those who come later
<root>/<id>/lock          there from the start; held (flock) by whoever changes the container; the kernel lets go of a dead holder's
<root>/@<pid>             a container's directory before it has its name
"""

from __future__ import annotations

import errno
import fcntl
import os

from skiff.cgroup.manager import open_manager
from skiff.errors import Conflict, InvalidInput, NotFound, SkiffError, suppress
from skiff.linux import processes
from skiff.oci import clock, status
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.types import Spec

MAX_ID = 1024
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


def check_id(identity: str) -> str:
    """An identity that is safe as a name on disk."""
    if not identity or len(identity) > MAX_ID or not set(identity) <= _ALLOWED or identity in (".", ".."):
        raise InvalidInput(f"invalid container id {identity!r}: use letters, digits and _+-.")
    return identity


class Lock:
    """Held from `with` to its end; NotFound if the container is not there."""

    def __init__(self, directory: str, identity: str) -> None:
        self._path, self._identity = f"{directory}/lock", identity
        self._fd = -1

    def __enter__(self) -> None:
        while self._fd < 0:
            self._fd = self._locked()

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        self._fd = -1

    def _locked(self) -> int:
        """-1 if the container was deleted while we waited: another of the same name has another lock."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"container does not exist: {self._identity}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(fd), os.stat(self._path)):
                return fd
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return -1


class Store:
    """All containers below one root."""

    def __init__(self, root: str) -> None:
        self.root = root

    def directory(self, identity: str) -> str:
        """A container's directory."""
        return f"{self.root}/{check_id(identity)}"

    def owner(self, identity: str) -> int:
        """The uid of whoever made it; NotFound if it is gone."""
        try:
            return os.stat(self.directory(identity)).st_uid
        except FileNotFoundError:
            raise NotFound(f"container does not exist: {identity}") from None

    def add(self, identity: str) -> None:
        """Take the identity, with its lock; Conflict if another has it."""
        directory, aside = self.directory(identity), f"{self.root}/@{os.getpid()}"
        os.makedirs(self.root, mode=0o711, exist_ok=True)
        os.makedirs(aside, mode=0o711, exist_ok=True)
        os.close(os.open(f"{aside}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            os.rename(aside, directory)
        except OSError as error:
            _remove(aside)
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise Conflict(f"container with id exists: {identity}: delete it first") from None
            raise

    def save(self, identity: str, state: dict[str, Any]) -> None:
        """Replace the state whole."""
        path = f"{self.directory(identity)}/state.json"
        replace(path, jsontext.dumps(state))

    def mark(self, identity: str, word: str) -> None:
        """Replace the status alone."""
        self.save(identity, {**self._read(identity), "status": word})

    def _read(self, identity: str) -> dict[str, Any]:
        try:
            with open(f"{self.directory(identity)}/state.json", "rb") as file:
                return _whole(file.read(), file.name)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"container does not exist: {identity}") from None

    def load(self, identity: str) -> dict[str, Any]:
        """The state; its status is what the process tells by now."""
        state = self._read(identity)
        creating = state["status"] == status.CREATING
        pid, started = (state["creator"], state["creator_started"]) if creating else (state["pid"], state["started"])
        if started is None or processes.start_time(pid) != started:
            state["status"] = status.STOPPED
        elif is_paused(state["cgroup"]):
            state["status"] = status.PAUSED
        return state

    def save_spec(self, identity: str, spec: Spec) -> None:
        """Keep what the container was made from; its bundle may change."""
        replace(f"{self.directory(identity)}/config.json", jsontext.dumps(spec))

    def load_spec(self, identity: str) -> Spec:
        """The same; one without hooks and filter for a container whose creation was cut short."""
        try:
            with open(f"{self.directory(identity)}/config.json", "rb") as file:
                spec: Spec = jsontext.loads(file.read())
        except FileNotFoundError:
            return {}
        return spec

    def identities(self) -> list[str]:
        """All, in order."""
        try:
            return sorted(name for name in os.listdir(self.root) if os.path.exists(f"{self.root}/{name}/state.json"))
        except FileNotFoundError:
            return []

    def lock(self, identity: str) -> Lock:
        """Nobody else changes the container meanwhile, in a `with` statement."""
        return Lock(self.directory(identity), identity)

    def remove(self, identity: str) -> None:
        """Give the identity back; one that is not there is given back already."""
        _remove(self.directory(identity))


def _remove(directory: str) -> None:
    """The lock last, and whoever opens it makes none: so a removal that is cut short can be done again."""
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(directory), key=lambda name: name == "lock"):
            with suppress(FileNotFoundError):
                os.unlink(f"{directory}/{name}")
        os.rmdir(directory)


_TYPES = {
    "status": str,
    "pid": int,
    "cgroup": str,
    "bundle": str,
    "id": str,
    "created": str,
    "ociVersion": str,
    "annotations": dict,
}


def _whole(text: bytes, path: str) -> dict[str, Any]:
    """The state that was written; SkiffError if a fault of the disk or somebody else has made something different of it."""
    try:
        state: Any = jsontext.loads(text)
        damaged = not isinstance(state, dict) or not all(isinstance(state.get(name), kind) for name, kind in _TYPES.items())
    except ValueError:
        damaged = True
    if damaged:
        raise SkiffError(f"{path}: damaged: end the container's processes, then remove the directory {os.path.dirname(path)}")
    found: dict[str, Any] = state
    return found


def is_paused(cgroup: str) -> bool:
    """Whether the cgroup is frozen; no where there is none to ask."""
    with suppress(SkiffError):
        return open_manager(cgroup).frozen()
    return False


def replace(path: str, text: str) -> None:
    """Write a file aside and rename it into place."""
    aside = f"{path}.{os.getpid()}"
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(aside, path)


def record(identity: str, pid: int, bundle: str, cgroup: str, spec: Spec) -> dict[str, Any]:
    """What state.json holds for a container just created; `started` is init's start time in clock ticks."""
    return {
        "ociVersion": spec["ociVersion"],
        "id": identity,
        "status": status.CREATED,
        "pid": pid,
        "started": processes.start_time(pid),
        "created": clock.now(),
        "bundle": bundle,
        "cgroup": cgroup,
        "annotations": spec.get("annotations") or {},
    }


def begun(identity: str, bundle: str, cgroup: str, spec: Spec) -> dict[str, Any]:
    """What it holds while the container is made: so delete finds the cgroup, and what waits in it, of a create that was killed."""
    own = os.getpid()
    state = {**record(identity, 0, bundle, cgroup, spec), "status": status.CREATING}
    return {**state, "creator": own, "creator_started": processes.start_time(own)}
