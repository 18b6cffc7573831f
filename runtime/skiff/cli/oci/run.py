"""skiff-oci run: create and start; then, unless detached, pass signals on, wait for the end and delete."""

from __future__ import annotations

import os

from skiff.cli.oci import create, options, waiting
from skiff.cli.oci.delete import delete
from skiff.cli.oci.start import start
from skiff.errors import InvalidInput
from skiff.linux import prctl
from skiff.oci import console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cli.oci.terminal import Terminal
    from skiff.oci.store import Store
    from skiff.spec.types import Spec

FLAGS = {
    **create.FLAGS,
    "detach": options.FLAG, "d": "=detach",
    "keep": options.FLAG,
    "no-subreaper": options.FLAG,
}  # fmt: skip


def main(containers: Store, arguments: list[str]) -> int:
    """The program's exit status, 128 and the number for one that a signal ended."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest)
    spec, directory = create.load(flags)
    if "no-subreaper" not in flags:
        prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)
    connection, terminal = open_terminal(flags, bool(spec["process"].get("terminal")))
    if terminal is None:
        pid = create.make(containers, identity, spec, directory, flags, connection)
        return _start(containers, identity, spec, flags, pid, None)
    with terminal:
        pid = create.make(containers, identity, spec, directory, flags, connection)
        return _start(containers, identity, spec, flags, pid, terminal)


def open_terminal(flags: dict[str, str], wanted: bool) -> tuple[int, Terminal | None]:
    """A connected console socket, or -1; and our own end of it, where there is no other."""
    detached = "detach" in flags
    if "console-socket" in flags:
        if not detached or not wanted:
            raise InvalidInput("cannot use console socket if skiff-oci will not detach or allocate tty: leave --console-socket out")
        return console.connect(flags["console-socket"]), None
    if not wanted:
        return -1, None
    if detached:
        raise InvalidInput("cannot allocate tty if skiff-oci will detach without setting console socket: give --console-socket")
    from skiff.cli.oci.terminal import Terminal

    own = Terminal()
    return own.connection, own


def _start(containers: Store, identity: str, spec: Spec, flags: dict[str, str], pid: int, terminal: Terminal | None) -> int:
    try:
        waiting.forward_signals(pid)
        if terminal is not None:
            os.close(terminal.connection)
            terminal.attach()
        start(containers, identity, spec)
        if "detach" in flags:
            return 0
        if terminal is not None:
            terminal.relay()
        code = waiting.wait(pid)
    except BaseException:
        delete(containers, identity, force=True)
        raise
    if "keep" not in flags:
        delete(containers, identity, force=True)
    return code
