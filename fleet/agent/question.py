"""A transaction that the package manager has worked out and asks about, while what comes before it in the plan is done.

So one start of the package manager is both the dry run and the transaction. At the end of its input, which the agent's own end
is too, it takes no for an answer.
"""

import os

from fleet.agent import child, pattern, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence

ASKED = rb"\[y/N\]:? *\Z"
END = 64  # bytes of output in which a question is looked for
# A host whose dnf.conf answers by itself would not be asked.
ASKING = ("--setopt=assumeyes=0", "--setopt=assumeno=0", "--setopt=defaultyes=0")
YES = b"y\n" * 16  # one for the transaction, and one for every key that comes with it


class Question:
    """A package manager at work on a transaction. `waits` tells whether it asks; one that does not has ended."""

    def __init__(self, argv: "Sequence[str]", log: str) -> None:
        """Start it, and wait until it asks or ends. Its output goes to the file `log`.

        Raises:
            OSError: it could not be started.
        """
        self._argv: "List[str]" = [argv[0], *ASKING, *argv[1:]]
        self._log = log
        self.waits = False
        reading, self._answering = os.pipe()
        try:
            with open(log, "w+b") as out:
                self._child = child.start(self._argv, (reading, out.fileno(), out.fileno()))
        except OSError:
            os.close(self._answering)
            raise
        finally:
            os.close(reading)
        self._status = child.wait(self._child, None, self._look)

    def answer(self, yes: bool) -> process.Finished:
        """Let it do the transaction, or leave it; what it said from the first to the last."""
        if self._answering >= 0:
            if yes and self.waits:
                os.write(self._answering, YES)
            os.close(self._answering)
            self._answering = -1
        if self._status is None:
            self._status = child.wait(self._child, None, lambda: False)
        return process.Finished(self._argv, self._status or 0, self.said(), "")

    def said(self) -> str:
        """What it has said so far."""
        with open(self._log, "rb") as stream:
            return process.text(stream)

    def _look(self) -> bool:
        with open(self._log, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - END))
            self.waits = bool(pattern.search(ASKED, stream.read()))
        return self.waits
