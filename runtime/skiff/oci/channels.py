"""The gate and the report between an init and whoever starts it, when that is another process than the one that made it.

    <directory>/gate      a FIFO from which init reads a byte before exec
    <directory>/report    a FIFO into which it writes what went wrong, and whose end of file is a good exec

Init holds both open for both directions, so that it neither waits for nor is killed by the absence of the other end.
"""

from __future__ import annotations

import os

from skiff.errors import Conflict
from skiff.oci.attendance import Channels, await_exec


def for_another_process(directory: str) -> Channels:
    """Make both."""
    gate, report = f"{directory}/gate", f"{directory}/report"
    os.mkfifo(gate, 0o600)
    os.mkfifo(report, 0o600)
    read = os.open(report, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(read, True)
    both = os.O_RDWR | os.O_CLOEXEC
    inner = os.open(gate, both)
    return Channels((inner, os.open(gate, os.O_WRONLY | os.O_CLOEXEC)), (read, os.open(report, both)))


def open_gate(directory: str, program: str) -> None:
    """Let the init that waits there exec; CreateError if the kernel refuses the program."""
    try:
        report = os.open(f"{directory}/report", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        gate = os.open(f"{directory}/gate", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict("cannot start a container that has stopped") from error
    os.set_blocking(report, True)
    os.write(gate, b"\0")
    os.close(gate)
    await_exec(report, program)
