"""Where lines go: standard output and standard error, for as long as somebody reads them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def write_line(line: str) -> None:
    """One line on standard output, at once: a pipe's reader should not wait for it."""
    write(sys.stdout, line)


def write_error(line: str) -> None:
    """One line on standard error."""
    write(sys.stderr, line)


def write(stream: TextIO, line: str) -> None:
    """One line on a stream; a stream that takes no more ends no run, for the hosts are still to be finished."""
    # What the stream's encoding has no letters for is shown by its number.
    encoding = stream.encoding or "utf-8"
    text = (line + "\n").encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        # Whoever read a pipe is gone (`| head`), and knows; a full disk is worth a word.
        if not isinstance(error, BrokenPipeError) and stream is sys.stdout:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"standard output ends here: {error.strerror}\n")
