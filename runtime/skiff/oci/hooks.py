"""Runs a container's hooks: programs told the container's state on their standard input, one after the other, each for so long."""

from __future__ import annotations

import os
import time

from skiff.errors import SkiffError
from skiff.linux import environment, processes, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from skiff.spec.types import Hook

_PAUSE, _LONGEST_PAUSE = 0.001, 0.02
TIMED_OUT = 1 << 16  # instead of a wait status
COULD_NOT_RUN = 127


class PlannedHook:
    """A hook as bytes; `timeout` in seconds, 0 for none."""

    __slots__ = ("args", "env", "path", "timeout")

    def __init__(self, hook: Hook, env: dict[bytes, bytes]) -> None:
        self.path = os.fsencode(hook["path"])
        self.args = [os.fsencode(argument) for argument in hook.get("args") or [hook["path"]]]
        given = hook.get("env")
        self.env = env if given is None else dict(os.fsencode(entry).partition(b"=")[::2] for entry in given)
        self.timeout = hook.get("timeout") or 0


def plan(hooks: list[Hook] | None, env: dict[bytes, bytes]) -> list[PlannedHook]:
    """One stage's hooks; one that names no environment gets `env`."""
    return [PlannedHook(hook, env) for hook in hooks or []]


def plan_outer(hooks: list[Hook] | None) -> list[PlannedHook]:
    """One stage's hooks outside of the container, with our environment as it was given."""
    return plan(hooks, environment.given()) if hooks else []


def run(hook: PlannedHook, state: bytes, output: int, prepare: Callable[[], None] | None = None) -> int:
    """Its wait status, or TIMED_OUT. Safe in a container's root: nothing is imported, opened by name, or said.

    `output` is where it writes; `prepare` is called in the hook's process before it is executed.
    """
    told = os.memfd_create("state", os.MFD_CLOEXEC)
    os.write(told, state)
    os.lseek(told, 0, os.SEEK_SET)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(told, 0)
            for fd in (1, 2):
                os.dup2(output, fd)
            processes.reset_signals()
            processes.close_on_exec_from(3)
            if prepare is not None:
                prepare()
            os.execve(hook.path, hook.args, hook.env)  # noqa: S606  # what a hook is
        except BaseException as error:  # a fork must not return; exec's errno is what there is to say
            number = getattr(error, "errno", None)
            os.write(2, b"exec failed: errno %d\n" % number if isinstance(number, int) else b"could not be prepared\n")
        finally:
            os._exit(COULD_NOT_RUN)
    os.close(told)
    return _wait(pid, hook.timeout)


def _wait(pid: int, timeout: float) -> int:
    if not timeout:
        return os.waitpid(pid, 0)[1]
    deadline = time.monotonic() + timeout
    pause = _PAUSE
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        if time.monotonic() > deadline:
            os.kill(pid, signals.SIGKILL)
            os.waitpid(pid, 0)
            return TIMED_OUT
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def run_all(stage: str, hooks: list[PlannedHook], state: bytes, bundle: str) -> None:
    """A stage in this process's own namespaces and in the bundle; SkiffError with what the first that failed had to say."""
    for index, hook in enumerate(hooks):
        output = os.memfd_create("output", os.MFD_CLOEXEC)
        try:
            status = run(hook, state, output, lambda: os.chdir(bundle))
            if status:
                raise SkiffError(message(stage, index, hook, status, processes.last_of(output)))
        finally:
            os.close(output)


def message(stage: str, index: int, hook: PlannedHook, status: int, said: str) -> str:
    """What went wrong with a hook, for a person."""
    if status == TIMED_OUT:
        why = f"hook ran past specified timeout of {hook.timeout:.1f}s"
    elif os.WIFSIGNALED(status):
        why = f"killed by signal {os.WTERMSIG(status)}"
    else:
        why = f"exit status {os.WEXITSTATUS(status)}"
    return f"error running {stage} hook #{index} ({os.fsdecode(hook.path)}): {why}{f': {said}' if said else ''}"
