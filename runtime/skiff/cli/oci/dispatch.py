"""From the global flags to a command; the boundary where an error becomes a message, a log line and exit status 1."""

from __future__ import annotations

import importlib
import json
import sys

from skiff import VERSION
from skiff.cli.oci import DEFAULT_ROOT, options
from skiff.errors import InvalidInput, SkiffError
from skiff.oci import clock
from skiff.oci.store import Store
from skiff.spec.defaults import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GLOBAL = {
    "root": options.VALUE,
    "log": options.VALUE,
    "log-format": options.VALUE,
    "debug": options.ACCEPTED,
    "systemd-cgroup": options.REFUSED,
    "rootless": options.REFUSED,
    "criu": options.REFUSED,
    "help": options.FLAG,
    "version": options.FLAG,
}
HELP = f"""\
Usage: skiff-oci [--root DIR] [--log FILE] [--log-format text|json] COMMAND [flags] ...

An OCI runtime with runc's command line.

  create [-b DIR] [--pid-file FILE] ID         make a container from a bundle, up to its program's start
  start ID                                     start the program of a created container
  run [-b DIR] [--pid-file FILE] [-d] ID       create and start; wait for the end and delete, unless detached
  state ID                                     print the container's state as JSON
  kill [--all] ID [SIGNAL]                     send a signal (TERM) to its program, or to all its processes
  delete [--force] ID                          remove a stopped container; --force kills it first
  list [--quiet] [--format table|json]         print the containers
  ps [--format table|json] ID [ps options]     print a container's processes
  pause ID, resume ID                          stop all its processes, and let them go on
  update [limits] ID                           change limits: --memory 512m, --cpu-quota 50000 ..., or --resources FILE
  events [--stats] [--interval 5s] ID          print what it uses and its OOM kills, a JSON document a line

--root is {DEFAULT_ROOT} unless given; -b is the present directory.

Example: skiff-oci run -b /var/lib/bundles/web web
"""


def run(arguments: list[str]) -> int:
    """Exit status."""
    flags: dict[str, str] = {}
    try:
        flags, rest = options.parse(arguments, GLOBAL)
        if "version" in flags:
            print(f"skiff-oci version {VERSION}\nspec: {OCI_VERSION}")
            return 0
        if "help" in flags or not rest:
            print(HELP, end="")
            return 0 if "help" in flags else 1
        if flags.get("log-format", "text") not in ("text", "json"):
            raise InvalidInput(f"--log-format {flags['log-format']}: text or json")
        return command(rest[0])(Store(flags.get("root", DEFAULT_ROOT)), rest[1:])
    except (SkiffError, OSError) as error:
        report(str(error), flags)
        return 1


_COMMANDS = ("create", "start", "run", "state", "kill", "delete", "list", "ps", "pause", "resume", "update", "events")


def command(name: str) -> Callable[[Store, list[str]], int]:
    """The command's function; only its module is loaded."""
    if name not in _COMMANDS:
        raise InvalidInput(f"unknown command {name!r}; see skiff-oci --help")
    found: Callable[[Store, list[str]], int] = importlib.import_module(f"skiff.cli.oci.{name}").main
    return found


def report(message: str, flags: dict[str, str]) -> None:
    """To the terminal, and to the log file that a caller such as containerd reads."""
    print(f"skiff-oci: {message}", file=sys.stderr)
    if not flags.get("log"):
        return
    if flags.get("log-format") == "json":
        line = json.dumps({"level": "error", "msg": message, "time": clock.now()})
    else:
        line = f'time="{clock.now()}" level=error msg={json.dumps(message)}'
    try:
        with open(flags["log"], "a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        print(f"skiff-oci: --log {flags['log']}: {error.strerror}", file=sys.stderr)
