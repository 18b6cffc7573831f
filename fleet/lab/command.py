"""Runs the machine's programs; a failure becomes a FleetError with the command and its last lines."""

from __future__ import annotations

import shlex
import subprocess
from typing import Optional, Sequence

from fleet.errors import FleetError

LAST_LINES = 15


def run(argv: Sequence[str], *, stdin: str = "", timeout: Optional[float] = None, pass_fds: Sequence[int] = ()) -> str:
    """Runs a command, returns its standard output.

    Raises:
        FleetError: it is missing, fails, or takes longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False, pass_fds=pass_fds
        )
    except FileNotFoundError as error:
        raise FleetError(f"The program {argv[0]} is missing.") from error
    except subprocess.TimeoutExpired as error:
        raise FleetError(f"{argv[0]} did not end within {timeout:.0f} s.", f"command: {shlex.join(argv)}") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
        raise FleetError(f"{argv[0]} failed with status {done.returncode}.", f"command: {shlex.join(argv)}\n{tail}")
    return done.stdout
