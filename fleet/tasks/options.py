"""How a task is declared: tables of options, errors that become an exit status."""

from __future__ import annotations

import contextlib
import inspect
import sys
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

# Options: name, default, help. A name's last underscore only keeps Python's own names free.
Table = Dict[str, Tuple[object, str]]

HOSTS: Table = {
    "hosts": ("", "Names, groups, all, globs, exclusions (all:!web3), @failed of the last run, and addresses (root@10.0.0.5:22)."),
}
CONNECT: Table = {
    "inventory": ("", "Inventory file, instead of inventory/hosts.yml and the running lab's."),
    "forks": ("", "How many hosts at a time, besides those that hang (default: by the number of processors)."),
    "engine": ("threads", "threads of this machine, or the workers of a Dask scheduler: dask://HOST:PORT, tls://HOST:PORT."),
    "json": (False, "One JSON document on standard output, at the end."),
    "host_key_policy": (
        "strict",
        "strict: known host keys only; accept-new: write unknown ones down at first sight; off: check none.",
    ),
    "ask_pass": (False, "Ask for the SSH password (or set SKIFF_SSH_PASSWORD)."),
    "ask_key_passphrase": (False, "Ask for the passphrase of encrypted SSH keys (or set SKIFF_SSH_KEY_PASSPHRASE)."),
    "ask_become_pass": (False, "Ask for sudo's password (or set SKIFF_BECOME_PASSWORD)."),
    "timeout": ("3600", "Seconds that a host may take in all (default: 3600)."),
    "connect_timeout": ("10", "Seconds for one attempt to connect, of up to four (default: 10, or ~/.ssh/config's)."),
    "lock_timeout": ("60", "Seconds to wait for another run on the same host; 0 refuses at once (default: 60)."),
}
# Of all tasks that read an inventory: the variables of one's own roles may stand in it.
OWN_ROLES: Table = {"role_path": ("", "Directory with roles of your own (or set SKIFF_ROLE_PATH).")}
ROLES: Table = {
    "roles": ("", "Only these roles, separated by commas."),
    "skip_roles": ("", "All roles but these, separated by commas."),
    **OWN_ROLES,
    "set_": ([], "A variable over the inventory's, as key=value with a YAML value; may be repeated."),
}
CHECK: Table = {"check": (False, "Change nothing; say what would change.")}
DIFF: Table = {"diff": (False, "Show the differences of files.")}
CHOICE: Table = {
    "only": ("", "Only these checks, by the names that --list shows, separated by commas."),
    "skip": ("", "All checks but these."),
    "severity": ("", "Only checks of at least this severity: info, warning or critical (default: info)."),
    "boot": (False, "Look as well at what a reboot would bring back; after one, at what it did."),
    "watch": ("", "Verify again every so many seconds (default: 60) and tell only what changed, until Ctrl-C."),
    "list_": (False, "List the checks with role, severity and remedy; connect to nothing."),
}
VERDICTS: Table = {
    "junit": ("", "Write the verdicts to this file as JUnit XML, which CI servers read."),
    "html": ("", "Write the verification to this file as one page of HTML."),
    "tap": (False, "The verdicts on standard output in the Test Anything Protocol, at the end."),
}


class Declared(Task[Any]):
    """A task that is what it was declared as: Invoke copies all of them as it starts, deeply."""

    def __deepcopy__(self, _: Dict[int, Any]) -> Declared:
        return self

    def get_arguments(self, ignore_unknown_help: Optional[bool] = None) -> List[Argument]:
        """Its arguments; Invoke takes each help text out of the task, which here is nobody's copy."""
        kept = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = kept


def spare(words: Sequence[str], tasks: Collection[str], options: Mapping[str, Tuple[object, str]]) -> bool:
    """Whether a word that is neither an option nor the value of one stands after one of these tasks."""
    after = iter(words)
    if not any(word in tasks for word in after):
        return False
    flags = {"--" + name.rstrip("_").replace("_", "-") for name, (default, _) in options.items() if default is False}
    for word in after:
        if word == "--":
            break
        if not word.startswith("-"):
            return True
        if word not in flags and "=" not in word:
            next(after, None)
    return False


def skiff_task(
    *tables: Table, positional: Tuple[str, ...] = (), of: Tuple[str, ...] = (), optional: Tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Any]:
    """A task with these options, and no automatic short flags: Invoke would make -h mean --hosts.

    `positional` is a word without an option, before or after those of the task `of` this name; it may be left out. `optional`: may
    lack a value.
    """
    options = {name: option for table in tables for name, option in table.items()}
    if spare(sys.argv, of, options):
        # To Invoke, a positional argument is one that may not be left out.
        options = {name: (None if name in positional else default, text) for name, (default, text) in options.items()}

    def declare(body: Callable[..., None]) -> Any:
        word = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, word, default=default) for name, (default, _) in options.items()]
        body.__signature__ = inspect.Signature([inspect.Parameter("context", word), *parameters])  # type: ignore[attr-defined] # PEP 362
        lists = [name for name, (default, _) in options.items() if default == []]
        told = {name: text for name, (_, text) in options.items()}
        words = {"positional": list(positional), "optional": list(optional), "iterable": lists}
        return task(klass=Declared, auto_shortflags=False, help=told, **words)(body)

    return declare


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Errors become a message and an exit status."""
    from fleet.errors import FleetError, UsageError

    try:
        yield
    except FleetError as error:
        lines = [error.brief, *(f"  {line}" for line in error.details.splitlines())]
        lines += [f"  -> {line}" for line in error.resolution.splitlines()]
        print("\n".join(lines), file=sys.stderr)
        raise Exit(code=1 if isinstance(error, UsageError) else 2) from error
    except KeyboardInterrupt as error:
        raise Exit(code=130) from error


def end(status: int) -> None:
    """Ends the program, unless all went well."""
    if status:
        raise Exit(code=status)
