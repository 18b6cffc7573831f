"""Runs a command from its start to its end, and ends the process."""

from __future__ import annotations

import gc
import os
import sys

from skiff.bytecode import Bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


# What containers are made with; each brings what it imports.
KEPT = ("cgroup.v1", "cgroup.v2", *(f"cli.oci.{name}" for name in ("delete", "dispatch", "exec", "kill", "run", "state")))


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
    if command == "bytecode":
        keep(root)
        end(0)
    bytecode = Bytecode(root, command)
    sys.meta_path.insert(0, bytecode)
    if command == "skiff":
        from skiff.cli.main import main as run
    else:
        from skiff.cli.oci import main as run
    gc.freeze()
    gc.enable()
    status = run(arguments)
    if not is_deployed(root):
        bytecode.keep()
    end(status)


def keep(root: str) -> None:
    """Keep skiff-oci's byte code once, where a bundle is unpacked: what runs on a host changes no file of it."""
    bytecode = Bytecode(root, "skiff-oci")
    sys.meta_path.insert(0, bytecode)
    for name in KEPT:
        __import__(f"skiff.{name}")
    bytecode.keep()


def is_deployed(root: str) -> bool:
    """Whether this is an unpacked bundle."""
    return os.path.isdir(f"{root}/vendor")


def add_dependencies(root: str) -> None:
    """vendor/ in a bundle; in a checkout, which has none, the interpreter's own site-packages."""
    if is_deployed(root):
        sys.path.insert(1, f"{root}/vendor")
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
