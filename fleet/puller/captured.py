"""Runs a program for its bytes: their number is bounded, and they lie in a file without a name."""

import os
import tempfile

from fleet.agent import child
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Sequence

LONGEST = 4096  # bytes of what it says on standard error that are told


class Captured:
    """What a program left: `status` 127 where it is missing, None where its time ran out."""

    def __init__(self, status: "Optional[int]", data: bytes, said: str) -> None:
        self.status = status
        self.data = data
        self.said = said


def run(
    argv: "Sequence[str]", limit: int, timeout: float, given: bytes = b"", environment: "Optional[Dict[str, str]]" = None
) -> Captured:
    """Run a program with `given` to read.

    Raises:
        AgentError: it writes more than `limit` bytes.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(given)
        source.seek(0)

        def too_much() -> bool:
            return os.fstat(out.fileno()).st_size > limit

        try:
            streams = source.fileno(), out.fileno(), err.fileno()
            status = child.run(argv, streams, timeout, too_much, environment)
        except OSError as error:
            return Captured(child.NOT_STARTED, b"", "{}: {}".format(argv[0], error.strerror))
        if too_much():
            raise AgentError("{} wrote more than {} bytes".format(argv[0], limit))
        out.seek(0)
        err.seek(0)
        return Captured(status, out.read(), err.read(LONGEST).decode("utf-8", "replace").strip())
