"""Starts Invoke without what it loads and does not need here: asyncio, for a mock that tests alone use, and a second YAML.

It ends without taking the interpreter apart, which takes as long as to reach a host.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from types import ModuleType

from fleet.standin import standing_in


def load() -> None:
    """Imports Invoke with empty modules in the place of unittest's, and with PyYAML, which inventories need, in that of its own."""
    import yaml

    package, mock = ModuleType("unittest"), ModuleType("unittest.mock")
    package.mock, mock.Mock = mock, object  # type: ignore[attr-defined] # what Invoke asks for
    with standing_in({"unittest": package, "unittest.mock": mock, "invoke.vendor.yaml": yaml}):
        import invoke.context  # noqa: F401


def main() -> None:
    """Runs the tasks that the command line names."""
    load()
    from fleet.tasks.program import Tasks

    try:
        Tasks().run()
    except SystemExit as error:
        if isinstance(error.code, int):
            leave(error.code)
        raise
    leave(0)


def leave(status: int) -> None:
    """Ends the process at once, if nothing is left to be done in it."""
    if threading.active_count() > 1:
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return  # nobody reads it any more: told as ever
    os._exit(status)
