"""What this host keeps between two pulls, in the agent's own directory, so that it goes when that goes.

pull/taken.json     the newest head that was taken, the tag it came with; nothing older is taken
pull/document       the state of this host, sealed, as that head names it
pull/status.json    how the last pull went, for `./inv pull.status`
pull/repository/    where the source is git (repository.py)
"""

import contextlib
import hashlib
import json
import os

from fleet.agent.errors import AgentError, from_os
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Optional

    from fleet.puller.head import Head

FOLDER = "pull"
TAKEN = os.path.join(FOLDER, "taken.json")
DOCUMENT = os.path.join(FOLDER, "document")
STATUS = os.path.join(FOLDER, "status.json")


class Kept:
    """Reads and writes them, each in one step."""

    def __init__(self, state: State) -> None:
        self._state = state
        try:
            self._taken: "Dict[str, Any]" = self._read_taken()
        except (KeyError, TypeError, ValueError) as error:
            # It guards against older states: that it cannot be read is no reason to take one.
            raise AgentError(
                "{} is damaged".format(state.path(TAKEN)), str(error), "remove it; this host then takes what is published"
            ) from error

    @property
    def serial(self) -> int:
        """The newest state's that was taken."""
        return int(self._taken.get("serial", -1))

    @property
    def made(self) -> str:
        """When that was made."""
        return str(self._taken.get("made", ""))

    def tag_for(self, source: str) -> str:
        """By what the source knows that state again; nothing where it came from elsewhere."""
        return str(self._taken["tag"]) if self._taken.get("source") == source else ""

    @property
    def head(self) -> bytes:
        """Its head."""
        return str(self._taken["head"]).encode("utf-8")

    def take(self, head: "Head", source: str, tag: str) -> None:
        """From now on, nothing older than this head is taken."""
        told = {"serial": head.serial, "made": head.made, "source": source, "tag": tag, "head": head.data.decode("utf-8")}
        if told != self._taken:
            self._state.prepare(FOLDER)
            self._state.write_json(TAKEN, told)
            self._taken = told

    def document(self, digest: str) -> "Optional[bytes]":
        """The kept document, if it is that one."""
        with contextlib.suppress(OSError):
            with open(self._state.path(DOCUMENT), "rb") as stream:
                data = stream.read()
            if hashlib.sha256(data).hexdigest() == digest:
                return data
        return None

    def keep_document(self, chunks: "Iterable[bytes]") -> bytes:
        """Keep a document; its bytes."""
        data = b"".join(chunks)
        self._state.prepare(FOLDER)
        self._state.write(DOCUMENT, data)
        return data

    def _read_taken(self) -> "Dict[str, Any]":
        try:
            with open(self._state.path(TAKEN), "rb") as stream:
                found = json.loads(stream.read().decode("utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise from_os(error, self._state.path(TAKEN)) from error
        if not isinstance(found["serial"], int) or not isinstance(found["head"], str):
            raise TypeError("it has no serial or no head")
        return dict(found)


def write_status(state: State, status: "Dict[str, Any]") -> None:
    """Say how the pull went; when it went well last is carried on."""
    state.prepare(FOLDER)
    before = state.read_json(STATUS)
    last = before.get("converged") if isinstance(before, dict) else None
    state.write_json(STATUS, dict(status, converged=status["ended"] if status["result"] != "failed" else last))
