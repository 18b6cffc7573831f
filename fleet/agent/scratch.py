"""Private directories for the length of a step, in memory where the host has /run; those of killed agents are swept."""

import os

from fleet.agent import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ContextManager, Iterator

PREFIX = "skiff-agent."


def folder() -> "ContextManager[str]":
    """A new directory, root's alone, removed at the end."""
    import contextlib  # slow to import, as are the two below

    return contextlib.contextmanager(_folder)()


def _folder() -> "Iterator[str]":
    import shutil
    import tempfile

    path = tempfile.mkdtemp(prefix="{}{}.".format(PREFIX, os.getpid()), dir=process.SCRATCH)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def parent() -> str:
    """Where they lie."""
    if process.SCRATCH:
        return process.SCRATCH
    import tempfile

    return tempfile.gettempdir()


def sweep() -> None:
    """Remove the directories of agents that are no more."""
    for name in os.listdir(parent()):
        pid = name[len(PREFIX) :].partition(".")[0]
        if name.startswith(PREFIX) and pid.isdigit() and not os.path.exists("/proc/" + pid):
            import shutil

            shutil.rmtree(os.path.join(parent(), name), ignore_errors=True)
