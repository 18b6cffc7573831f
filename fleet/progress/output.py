"""Where lines go: standard output, for as long as somebody reads it, and standard error."""

from __future__ import annotations

import os
import sys


def write_line(line: str) -> None:
    """One line on standard output, at once: a pipe's reader should not wait for it."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read is gone (`| head`): the hosts are still to be finished.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def write_error(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(line + "\n")
