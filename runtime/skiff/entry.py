"""Runs a command from its start to its end, and ends the process."""

from __future__ import annotations

import gc
import os
import sys

from skiff.bytecode import Bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def enter(root: str, command: str, arguments: list[str]) -> NoReturn:
    """`root` has the package; a command that is none of the others is skiff-oci."""
    if command == "skiffd":
        add_dependencies(root)
        from skiff.daemon.main import main as run_daemon

        gc.enable()
        sys.exit(run_daemon(arguments))  # it has threads to wait for
    if command == "launcher":
        from skiff.launcher.server import main as run_launcher

        gc.enable()
        end(run_launcher(arguments))
    bytecode = Bytecode(root, command)
    sys.meta_path.insert(0, bytecode)
    if command == "skiff":
        from skiff.cli.main import main as run
    else:
        from skiff.cli.oci import main as run
    gc.freeze()
    gc.enable()
    status = run(arguments)
    bytecode.keep()
    end(status)


def add_dependencies(root: str) -> None:
    """vendor/ in a bundle; in a checkout, which has none, the interpreter's own site-packages."""
    vendor = f"{root}/vendor"
    if os.path.isdir(vendor):
        sys.path.insert(1, vendor)
    else:
        import site

        site.main()


def end(status: int) -> NoReturn:
    """Without Python's tidying up of all that the kernel takes back anyway, 6 ms."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)  # which tries again, and says what is wrong
    os._exit(status)
