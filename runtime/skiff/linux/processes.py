"""What belongs to a process as such: signal dispositions, file descriptors, start time."""

from __future__ import annotations

import os

from skiff.errors import suppress
from skiff.linux import foreign, signals
from skiff.linux.libc import LIBC, check

_CLOSE_RANGE = foreign.c_long(436)
_CLOSE_RANGE_CLOEXEC = foreign.c_uint(4)
_RT_SIGACTION, _RT_SIGPROCMASK = map(foreign.c_long, (13, 14) if os.uname().machine == "x86_64" else (134, 135))
_SIG_SETMASK = foreign.c_long(2)
_SIGSET_SIZE = foreign.c_long(8)
_DEFAULT_ACTION = foreign.create_string_buffer(64)
_NO_SIGNALS = foreign.create_string_buffer(8)


def reset_signals() -> None:
    """Default disposition for every signal and none blocked: ignored and blocked ones would outlive exec.

    By the system calls themselves, for posix_spawn leaves signals ignored that the C library then denies to have.
    """
    for number in range(1, signals.LAST + 1):
        LIBC.syscall(_RT_SIGACTION, foreign.c_long(number), _DEFAULT_ACTION, None, _SIGSET_SIZE)
    LIBC.syscall(_RT_SIGPROCMASK, _SIG_SETMASK, _NO_SIGNALS, None, _SIGSET_SIZE)


def close_on_exec_from(first: int) -> None:
    """Nothing from `first` on passes an exec; before Linux 5.11 that is left to those who opened it, as Python does anyway."""
    LIBC.syscall(_CLOSE_RANGE, foreign.c_uint(first), foreign.c_uint(0xFFFFFFFF), _CLOSE_RANGE_CLOEXEC)


def close_all_but(kept: tuple[int, ...]) -> None:
    """Close every descriptor above 2 that is not in `kept`."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in kept:
            with suppress(OSError):  # the descriptor of the listing itself
                os.close(fd)


def spare_from_oom() -> None:
    """Ask the kernel to kill others first, where we may ask that."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-1000")


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process, which tells it from a later one of the same number; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


_PIDFD_GETFD = foreign.c_long(438)


def descriptor_of(pid: int, fd: int) -> int:
    """A copy of another process's descriptor."""
    process = os.pidfd_open(pid)
    try:
        return check(
            LIBC.syscall(_PIDFD_GETFD, foreign.c_int(process), foreign.c_int(fd), foreign.c_uint(0)), "pidfd_getfd", str(fd)
        )
    finally:
        os.close(process)


def run(command: list[str]) -> tuple[int, str]:
    """A program of the host to its end: exit status and the last of what it said, without a shell."""
    said = os.memfd_create("output", os.MFD_CLOEXEC)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, said, fd) for fd in (1, 2)]
        pid = os.posix_spawn(command[0], command, dict(os.environ), file_actions=actions)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, last_of(said)
    finally:
        os.close(said)


LAST = 4096


def last_of(fd: int) -> str:
    """The end of what was written to a file that is open."""
    size = os.fstat(fd).st_size
    return os.pread(fd, LAST, max(size - LAST, 0)).decode("utf-8", "replace").strip()
