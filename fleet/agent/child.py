"""Starts a program and waits for it. The module subprocess does the same, and is a tenth of what an agent's start costs."""

import os
import time

from fleet.agent.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Sequence, Tuple

    from fleet.agent.output import Piped

LOOK = 0.05  # seconds between looks at what a program does, while it runs
GRACE = 10.0  # seconds that one whose time ran out has to take back what it began
NOBODY = 65534
NOT_STARTED = 127
ENDS = frozenset([signal.SIGCHLD])
ERRNO = 4  # bytes of an error's number


def run(
    argv: "Sequence[str]",
    streams: "Tuple[int, int, int]",
    timeout: "Optional[float]",
    look: "Callable[[], object]",
    environment: "Optional[Dict[str, str]]" = None,
    plainly: bool = False,
    piped: "Optional[Piped]" = None,
) -> "Optional[int]":
    """The exit status of a program in a session of its own, a signal's number below zero; None where its time ran out.

    `streams` are its standard input, output and error, the ends of what is `piped` where something is; `look` is called now and
    then while it runs. One whose time ran out is asked to end, and then made to, with all that it started. Where `look` returns
    True it is made to at once.

    Raises:
        OSError: it could not be started.
        AgentError: what it was to read cannot be had; it runs no more.
    """
    child = start(argv, streams, environment, plainly)
    if piped:
        piped.begun()
    try:
        status = wait(child, timeout, look, piped)
    except BaseException:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if status is None:
        os.killpg(child, signal.SIGTERM)
        ended = wait(child, GRACE, look, piped) is not None
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of it has ended
        if not ended:
            os.waitpid(child, 0)
    return status


def start(
    argv: "Sequence[str]", streams: "Tuple[int, int, int]", environment: "Optional[Dict[str, str]]" = None, plainly: bool = False
) -> int:
    """Start a program, and leave it to `wait`; its process.

    Raises:
        OSError: it could not be started.
    """
    return _start(argv, streams, dict(os.environ, **environment or {}), plainly)


def wait(child: int, timeout: "Optional[float]", look: "Callable[[], object]", piped: "Optional[Piped]" = None) -> "Optional[int]":
    """Its exit status, as `run` tells it; None where its time runs out first, or `look` returns True."""
    end = None if timeout is None else time.monotonic() + timeout
    # Held back, so that its end is still to be heard of when it is waited for.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            if end is not None and time.monotonic() >= end:
                return None
            if not (piped and piped.serve(LOOK)):
                signal.sigtimedwait(ENDS, LOOK)
            if look() is True:
                return None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)


def _start(argv: "Sequence[str]", streams: "Tuple[int, int, int]", environment: "Dict[str, str]", plainly: bool) -> int:
    told, telling = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            _become(argv, streams, environment, plainly, telling)
        os.close(telling)
        telling = -1
        said = os.read(told, ERRNO)
    finally:
        for descriptor in (told, telling):
            if descriptor >= 0:
                os.close(descriptor)
    if said:
        os.waitpid(child, 0)
        number = int.from_bytes(said, "little")
        raise OSError(number, os.strerror(number))
    return child


def _become(
    argv: "Sequence[str]", streams: "Tuple[int, int, int]", environment: "Dict[str, str]", plainly: bool, telling: int
) -> None:
    """In the child: the program, or the reason why not; nothing of the agent's goes on."""
    try:
        os.setsid()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        if plainly and os.geteuid() == 0:
            os.chdir("/")  # where the agent stands may be closed to others
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606 # what this module is for
    except OSError as error:
        os.write(telling, (error.errno or 0).to_bytes(ERRNO, "little"))
    finally:
        os._exit(NOT_STARTED)
