"""A process that does one thing for its parent and ends; answer or error come through a pipe, as the protocol tells them."""

from __future__ import annotations

import os

from skiff.errors import SkiffError
from skiff.linux import prctl, signals
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

CHUNK = 1 << 16
MAX_WORDS = 4096  # an error that quotes a request must still fit a message
FORESEEN = (SkiffError, OSError, ValueError, KeyError, TypeError, AttributeError)


class Refusal(SkiffError):
    """What the maker was refused; `told` is the protocol's error."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        super().__init__(told["message"])


class Died(SkiffError):
    """It was killed, whatever it had made by then."""


def refusal(error: Exception) -> dict[str, Any]:
    """An error as the protocol tells it."""
    if isinstance(error, Refusal):
        return {"ok": False, "error": error.told}
    number, step = getattr(error, "errno", None) or 0, getattr(error, "step", "create")
    return {"ok": False, "error": {"step": step, "errno": number, "message": str(error)[:MAX_WORDS]}}


def run(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the action returns in a process of its own; Refusal for its error."""
    parent = os.getpid()
    answer, answers = os.pipe()
    try:
        pid = os.fork()
        if pid == 0:
            _make(action, answers, parent)
    finally:
        os.close(answers)
    with open(answer, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    if not said:
        raise Died("the process that creates the container died: it may have been out of memory")
    told: dict[str, Any] = jsontext.loads(said)
    if not told["ok"]:
        raise Refusal(told["error"])
    return told


def _make(action: Callable[[], dict[str, Any]], answers: int, parent: int) -> NoReturn:
    try:
        prctl.prctl(prctl.PR_SET_PDEATHSIG, signals.SIGKILL)
        if os.getppid() == parent:
            try:
                told = {"ok": True, **action()}
            except FORESEEN as error:
                told = refusal(error)
            with open(answers, "wb", closefd=False) as file:
                file.write(jsontext.dumps(told).encode())
    finally:
        os._exit(0)
