"""Waits in the foreground for a container's process: passes signals on to it, and its status to whoever waits for us."""

from __future__ import annotations

import os

from skiff.errors import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # what signal wraps; the wrapper would load enum

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def forward_signals(pid: int) -> None:
    """From now on."""

    def forward(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in FORWARDED:
        signal.signal(number, forward)


def wait(pid: int) -> int:
    """Its exit status, 128 and the number for one that a signal ended; other children, orphans of it, are reaped too."""
    while True:
        found, wait_status = os.waitpid(-1, 0)
        if found == pid:
            code = os.waitstatus_to_exitcode(wait_status)
            return code if code >= 0 else 128 - code
