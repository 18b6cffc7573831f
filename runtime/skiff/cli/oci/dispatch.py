"""From the global flags to a command; the boundary where an error becomes a message, a log line and exit status 1."""

from __future__ import annotations

import os

from skiff import VERSION
from skiff.cli.oci import DEFAULT_ROOT, options
from skiff.cli.oci.log import LOG
from skiff.errors import InvalidInput, SkiffError, Unsupported
from skiff.oci.store import Store
from skiff.spec.defaults import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GLOBAL = {
    "root": options.VALUE,
    "log": options.VALUE,
    "log-format": options.VALUE,
    "debug": options.FLAG,
    "systemd-cgroup": options.FLAG,
    "rootless": options.VALUE,
    "criu": options.VALUE,
    "help": options.FLAG, "h": "=help",
    "version": options.FLAG, "v": "=version",
}  # fmt: skip
HELP = f"""\
Usage: skiff-oci [global flags] COMMAND [flags] ...

An OCI runtime with runc's command line.

  create [-b DIR] [--pid-file FILE] ID         make a container from a bundle, up to its program's start
  start ID                                     start the program of a created container
  run [-b DIR] [--pid-file FILE] [-d] ID       create and start; wait for the end and delete, unless detached
  exec [-d] [-t] [-e NAME=VALUE] ID PROGRAM... run a further program in a container
  state ID                                     print the container's state as JSON
  kill [--all] ID [SIGNAL]                     send a signal (TERM) to its program, or to all its processes
  delete [--force] ID                          remove a stopped container; --force kills it first
  list [--quiet] [--format table|json]         print the containers
  ps [--format table|json] ID [ps options]     print a container's processes
  pause ID, resume ID                          stop all its processes, and let them go on
  update [limits] ID                           change limits: --memory 512m, --cpu-quota 50000 ..., or --resources FILE
  events [--stats] [--interval 5s] ID          print what it uses and its OOM kills, a JSON document a line
  spec [-b DIR] [--rootless]                   write a config.json to begin with
  features                                     print what this runtime knows, as JSON

Of create and run: --console-socket PATH, --preserve-fds N, --no-pivot, --no-new-keyring; of run: --keep, --no-subreaper.
Of exec: --process FILE, --user UID[:GID], --additional-gids GID, --cwd DIR, --cap CAP, --no-new-privs, --apparmor PROFILE,
--process-label LABEL, --cgroup PATH, --pid-file FILE, --console-socket PATH, --preserve-fds N.

Global flags: --root DIR ({DEFAULT_ROOT}; in $XDG_RUNTIME_DIR for other users than root), --log FILE, --log-format text|json,
--debug, --rootless true|false|auto, --systemd-cgroup (a container is a scope of systemd's), --version, --help. -b is the
present directory.

Example: skiff-oci run -b /var/lib/bundles/web web
"""
EXEC_FAILED = 255  # as runc's exec ends where the program could not be run
NO_SUCH_COMMAND = 3  # runc's too
_REFUSED = ("checkpoint", "restore")
_HELP = ("help", "h")


def run(arguments: list[str]) -> int:
    """Exit status."""
    rest: list[str] = []
    try:
        flags, rest = options.parse(arguments, GLOBAL)
        LOG.configure(flags)
        if "version" in flags:
            print(f"skiff-oci version {VERSION}\nspec: {OCI_VERSION}")
            return 0
        if "help" in flags or not rest or rest[0] in _HELP:
            return _help([] if "help" in flags else rest[1:])
        for name, words in (("log-format", ("text", "json")), ("rootless", ("true", "false", "auto"))):
            if flags.get(name, words[0]) not in words:
                raise InvalidInput(f"--{name} {flags[name]}: {' or '.join(words)}")
        # The others find the driver in the container's state.
        given = ["--systemd-cgroup"] if "systemd-cgroup" in flags and rest[0] in ("create", "run") else []
        return command(rest[0])(Store(flags.get("root") or default_root(flags)), [*given, *rest[1:]])
    except options.HelpWanted:
        return _help(rest)
    except _NoSuchCommand as error:
        LOG.error(str(error))
        return NO_SUCH_COMMAND
    except (SkiffError, OSError) as error:
        LOG.error(str(error))
        return EXEC_FAILED if rest[:1] == ["exec"] and not isinstance(error, options.Misuse) else 1


def _help(words: list[str]) -> int:
    """Of a command if one is named."""
    if not words:
        print(HELP, end="")
        return 0
    from skiff.cli.oci import usage

    command(words[0])
    print(usage.text(words[0]), end="")
    return 0


class _NoSuchCommand(InvalidInput):
    """A word that is no command."""


def default_root(flags: dict[str, str]) -> str:
    """Where containers are kept: a user's own are in its runtime directory."""
    rootless = flags.get("rootless", "auto")
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    if own and (rootless == "true" or (rootless == "auto" and os.geteuid() != 0)):
        return f"{own}/skiff-oci"
    return DEFAULT_ROOT


_COMMANDS = (
    "create", "start", "run", "exec", "state", "kill", "delete", "list", "spec", "features", "ps", "pause",
    "resume", "update", "events",
)  # fmt: skip


def command(name: str) -> Callable[[Store, list[str]], int]:
    """The command's function; only its module is loaded."""
    if name in _REFUSED:
        raise Unsupported(f"{name} is not supported by skiff-oci: it has no CRIU")
    if name not in _COMMANDS:
        raise _NoSuchCommand(f"unknown command {name!r}; see skiff-oci --help")
    # What importlib.import_module does, without a module of 2 ms.
    found: Callable[[Store, list[str]], int] = __import__(f"skiff.cli.oci.{name}", fromlist=("main",)).main
    return found
