"""How a container ended, as every client is told and as it stands on disk.

<exec root>/containers/<id>/exit.json    {"code", "signal", "oom", "finished"}, for a daemon that was not there
"""

from __future__ import annotations

import os

from skiff.errors import suppress
from skiff.oci import clock, store
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KILLED = 128 + 9


def from_status(wait_status: int, oom: bool) -> dict[str, Any]:
    """Docker's exit code: the program's, or 128 and the signal."""
    signal = os.WTERMSIG(wait_status) if os.WIFSIGNALED(wait_status) else None
    code = os.WEXITSTATUS(wait_status) if signal is None else 128 + signal
    return document(code, signal, oom)


def document(code: int, signal: int | None, oom: bool) -> dict[str, Any]:
    """An end just now."""
    return {"code": code, "signal": signal, "oom": oom, "finished": clock.now()}


def path(exec_root: str, identity: str) -> str:
    """Where the record stands."""
    return f"{exec_root}/containers/{identity}/exit.json"


def save(exec_root: str, identity: str, record: dict[str, Any]) -> None:
    """Write it whole."""
    target = path(exec_root, identity)
    os.makedirs(os.path.dirname(target), mode=0o711, exist_ok=True)
    store.replace(target, jsontext.dumps(record))


def load(exec_root: str, identity: str) -> dict[str, Any] | None:
    """The record, if the container has ended."""
    try:
        with open(path(exec_root, identity), "rb") as file:
            record: dict[str, Any] = jsontext.loads(file.read())
            return record
    except FileNotFoundError:
        return None


def forget(exec_root: str, identity: str) -> None:
    """Before a container runs again."""
    with suppress(FileNotFoundError):
        os.unlink(path(exec_root, identity))
