"""Starts Invoke without asyncio, which it loads for a mock that tests alone use: a tenth of a command's start, and 4 MB."""

from __future__ import annotations

import sys
from types import ModuleType


def load() -> None:
    """Imports Invoke with empty modules in the place of unittest's, which are real again afterwards."""
    package, mock = ModuleType("unittest"), ModuleType("unittest.mock")
    package.mock, mock.Mock = mock, object  # type: ignore[attr-defined] # what Invoke asks for
    absent = {name: module for name, module in (("unittest", package), ("unittest.mock", mock)) if name not in sys.modules}
    sys.modules.update(absent)
    try:
        import invoke.context  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]


def main() -> None:
    """Runs the tasks that the command line names."""
    load()
    from invoke.main import program

    program.run()
