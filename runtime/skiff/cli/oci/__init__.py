"""skiff-oci: an OCI runtime on the command line, with runc's flags; one module a command, errors reported here alone."""

from __future__ import annotations

import gc
import os
import sys

from skiff.linux import environment, exefile, sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

DEFAULT_ROOT = "/run/skiff/oci"
# Those that fork into a container: what runs them must be out of its reach.
ENTERING = ("create", "run", "exec")


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0, 1 for any error, the container's own for `run`."""
    if any(name in arguments for name in ENTERING):
        gc.disable()  # there is little to collect before the end, and each collection looks at all that was imported
        if not sealed.runs_sealed() and not exefile.leave():
            _run_sealed(arguments)
    from skiff.cli.oci import dispatch

    return dispatch.run(list(arguments))


def _run_sealed(arguments: Sequence[str]) -> NoReturn:
    interpreter = sealed.interpreter()
    command = [sys.executable, "-I", "-S", "-X", "utf8", sys.argv[0], "skiff-oci", *arguments]
    os.execve(interpreter, command, environment.given())  # noqa: S606  # ourselves again, from memory
