"""The tasks that ask hosts for more than their state: a command of one's own run on each, their containers, what those wrote."""

from __future__ import annotations

import sys
from typing import Any, Tuple

from invoke.context import Context

from fleet.tasks.options import CONNECT, HOSTS, OWN_ROLES, Table, end, skiff_task, told

COMMAND: Table = {
    "command": ("", "The command in one text, split into words by a shell's rules, instead of words after --."),
    "shell": (False, "Give the command to /bin/sh on the host: pipes, globs, variables."),
}
LIMIT: Table = {"timeout": ("300", "Seconds that the command may take on a host; then it is killed (default: 300).")}

LINES: Table = {
    "container": ("", "The container's name or identity."),
    "tail": ("100", "The last lines of each host, or all (default: 100)."),
    "since": ("", "Only since a time (2026-01-31T12:00:00Z) or for a while (10m)."),
    "follow": (False, "Go on with what is written from then on, until Ctrl-C."),
    "timestamps": (False, "The time before each line, and the lines of all hosts in its order."),
}


def after_dashes() -> Tuple[str, ...]:
    """The words after `--`, one by one: Invoke itself keeps them only as one text."""
    return tuple(sys.argv[sys.argv.index("--") + 1 :]) if "--" in sys.argv else ()


@skiff_task(HOSTS, COMMAND, OWN_ROLES, {**CONNECT, **LIMIT})
def execute(_: Context, command: str, shell: bool, timeout: str, **given: Any) -> None:
    """Run a command as root on every host; hosts that said the same are shown together.

    Everybody on a host can read a running command's words, and they are kept in the run's record: no secrets in them.

    Example: ./inv exec --hosts all -- uname -r
    Example: ./inv exec --hosts 'web*' --shell --command 'df -h /var | tail -1' --timeout 20
    """
    with told():
        from fleet.run import command as commands
        from fleet.run.task import Options, provision

        asked = commands.command(after_dashes(), command, shell, timeout)
        options = Options(timeout=str(int(asked.timeout) + commands.LIMIT), **given)
        outcomes, status = provision(commands.NAME, "verify", options, (asked,), about={"command": list(asked.argv)})
    commands.show(outcomes, given["json"])
    end(status)


@skiff_task(HOSTS, {"all": (False, "Those that have ended too.")}, OWN_ROLES, CONNECT)
def ps(_: Context, **given: Any) -> None:
    """List the containers of every host's engine, Skiff's or Docker's, in one table.

    Example: ./inv ps --hosts all
    Example: ./inv ps --hosts 'web*' --all --json
    """
    with told():
        from fleet.run import containers
        from fleet.run.task import Options, provision

        every = given.pop("all")
        outcomes, status = provision(containers.NAME, "verify", Options(**given), (containers.asked(every),))
    told_by_all = containers.show(outcomes, given["json"])
    end(status or (0 if told_by_all else 2))


@skiff_task(HOSTS, LINES, OWN_ROLES, CONNECT, positional=("container",), of=("logs",))
def logs(_: Context, container: str, tail: str, since: str, follow: bool, timestamps: bool, **given: Any) -> None:
    """Show what a container has written on each host that has one of this name, every line with its host.

    Example: ./inv logs web --hosts all
    Example: ./inv logs web --hosts 'web*' --since 10m --timestamps
    Example: ./inv logs web --hosts all --tail 10 --follow
    """
    if follow:
        with told():
            from fleet.run import follow as rounds
            from fleet.run.task import Options

            status = rounds.follow(Options(**given), container, tail, since, timestamps)
        end(status)
        return
    with told():
        from fleet.run import logs as lines
        from fleet.run.task import Options, provision

        asked = lines.asked(container, tail, since, timestamps)
        outcomes, status = provision(lines.NAME, "verify", Options(**given), (asked,))
    well = lines.show(outcomes, container, timestamps, given["json"])
    end(status or (0 if well else 2))
