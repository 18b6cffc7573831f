"""The command skiff: finds the verb in a table, loads its module alone, and turns errors into messages and statuses."""

from __future__ import annotations

import os
import sys

from skiff import VERSION
from skiff.cli import options
from skiff.errors import SkiffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# verb: summary; its module is skiff.cli.<verb>, with COMMAND and run(host, values, arguments) -> status
VERBS = {
    "run": "Create and run a new container from an image",
    "ps": "List containers",
    "logs": "Fetch the logs of a container",
    "stop": "Stop running containers",
    "kill": "Send a signal to running containers",
    "rm": "Remove containers",
    "inspect": "Show all that is known of containers or images, as JSON",
    "load": "Load images from a tar archive",
    "images": "List images",
    "rmi": "Remove images",
    "version": "Show the versions of client and server",
    "info": "Show what the server and its host are",
    "completion": "Print a script that completes command lines of bash",
}
GLOBAL = (
    ("-H, --host", "text", "unix:///PATH", "daemon to talk to (default: SKIFF_HOST, DOCKER_HOST, unix:///run/skiff.sock)"),
    ("-v, --version", "flag", "", "print the client's version and exit"),
)
EXAMPLES = """
skiff load -i busybox.tar
skiff run --rm --network none -m 32m busybox echo hello
skiff ps -a
"""


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    try:
        status = _main(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has enough of it; nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        print(f"skiff: {error.strerror or error}", file=sys.stderr)
        # What is still to be flushed at the end would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130


def _main(arguments: list[str]) -> int:
    verb = ""
    try:
        values, left = options.parse(GLOBAL, arguments, interspersed=False)
        if values.get("version"):
            print(f"Skiff version {VERSION}")
            return 0
        if not left:
            raise options.HelpWanted
        verb = left[0]
        return _run(verb, values.get("host"), left[1:])
    except options.HelpWanted:
        print(overview())
        return 0
    except options.UsageError as error:
        print(f"skiff: {error}\n\nRun 'skiff {verb + ' ' if verb in VERBS else ''}--help' for more information", file=sys.stderr)
        return error.status
    except SkiffError as error:
        print(_told(error), file=sys.stderr)
        return 125 if verb == "run" else 1


def _run(verb: str, host: Optional[str], arguments: list[str]) -> int:
    if verb == "help":
        verb, arguments = (arguments[0], ["--help"]) if arguments else ("", [])
    if not verb:
        raise options.HelpWanted
    if verb not in VERBS:
        raise options.UsageError(f"'{verb}' is not a skiff command", 1)
    module = __import__(f"skiff.cli.{verb}", fromlist=["run"])
    try:
        values, left = module.COMMAND.parse(arguments)
    except options.HelpWanted:
        print(module.COMMAND.help())
        return 0
    status: int = module.run(host or default_host(), values, left)
    return status


def default_host() -> str:
    """The daemon's address where no option gives one."""
    return os.environ.get("SKIFF_HOST") or os.environ.get("DOCKER_HOST") or "unix:///run/skiff.sock"


def _told(error: SkiffError) -> str:
    return f"Error response from daemon: {error}" if type(error).__name__ == "DaemonError" else f"skiff: {error}"


def overview() -> str:
    """The help of skiff itself."""
    about = "Containers on this host: a client of Skiff's daemon, and of any other with Docker's API."
    text = options.Command("[OPTIONS] COMMAND [ARG...]", about, GLOBAL, EXAMPLES).help()
    commands = "\n".join(f"  {verb.ljust(12)}{summary}" for verb, summary in VERBS.items())
    return f"{text}\n\nCommands:\n{commands}\n\nRun 'skiff COMMAND --help' for more on a command."
