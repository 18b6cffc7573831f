"""What the host's programs answered, kept for the next run with the stamps of all files that the answer was drawn from.

    answers.json        {"agent": its digest, "answers": {question: {"basis", "stamps": {path: ...}, "answer"}}}}

An answer counts only for the same agent and while each of its files is the same one, of the same size and the same times: whoever
writes to one gives it a new time of change, which no program can set. What was written a moment ago is not kept in mind, for it
could be written again within one step of the clock by which such times are told.
"""

import os
import time

from fleet.agent.errors import AgentError
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List

FILE = "answers.json"
TIMES = 3  # where a stamp has its times
SETTLED = 2.0  # seconds: more than any file system's step, which is one second at most


class Memory:
    """The answers of former runs, read when first asked for, and what this one learns."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._answers: "Dict[str, Any]" = {}
        self._read = False
        self._learnt = False

    def recall(self, question: str, basis: "Any") -> "Any":
        """The answer that was drawn from the same basis and the same files, or None."""
        if not self._read:
            self._answers, self._read = self._load(), True
        known = self._answers.get(question)
        if not isinstance(known, dict) or known.get("basis") != basis or not isinstance(known.get("stamps"), dict):
            return None
        return known.get("answer") if all(_stamp(path) == stamp for path, stamp in known["stamps"].items()) else None

    def learn(self, question: str, basis: "Any", paths: "Iterable[str]", begun: float, answer: "Any") -> None:
        """Keep in mind what was asked for at the time `begun`, unless one of the files was written to but now."""
        stamps = {path: _stamp(path) for path in paths}
        newest = max((at for stamp in stamps.values() for at in stamp[TIMES:]), default=0)
        if newest < (min(begun, time.time()) - SETTLED) * 1e9:
            self._answers[question] = {"basis": basis, "stamps": stamps, "answer": answer}
            self._learnt = True

    def keep(self) -> None:
        """Write down what was learnt; without room for it, the next run asks again."""
        if not self._learnt:
            return
        try:
            self._state.write_json(FILE, {"agent": self._state.agent, "answers": self._answers})
        except AgentError:
            return

    def _load(self) -> "Dict[str, Any]":
        found = self._state.read_json(FILE) if self._state.trusted() else None
        if not isinstance(found, dict) or found.get("agent") != self._state.agent or not isinstance(found.get("answers"), dict):
            return {}
        answers: "Dict[str, Any]" = found["answers"]
        return answers


def _stamp(path: str) -> "List[int]":
    """What tells whether a file was written to or replaced, or a directory got or lost one; nothing where there is none.

    The times of an empty file do not count, for it has nothing that could be another: SQLite's log is one between two
    transactions, and is given its owner anew by every reader.
    """
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_dev, found.st_ino, found.st_size, *([found.st_mtime_ns, found.st_ctime_ns] if found.st_size else [])]
