"""skiff-oci run: create and start; then, unless detached, pass signals on, wait for the end and delete."""

from __future__ import annotations

import contextlib
import os
import signal

from skiff.cli.oci import create, options
from skiff.cli.oci.delete import delete
from skiff.cli.oci.start import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store

FLAGS = {**create.FLAGS, "detach": options.FLAG, "keep": options.FLAG}
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


def main(containers: Store, arguments: list[str]) -> int:
    """The program's exit status, 128 and the number for one that a signal ended."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest)
    pid = create.make(containers, identity, flags)
    try:
        _forward_signals(pid)
        start(containers, identity)
        if "detach" in flags:
            return 0
        code = _wait(pid)
    except BaseException:
        delete(containers, identity, force=True)
        raise
    if "keep" not in flags:
        delete(containers, identity, force=True)
    return code


def _forward_signals(pid: int) -> None:
    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in FORWARDED:
        signal.signal(number, forward)


def _wait(pid: int) -> int:
    _, wait_status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code
