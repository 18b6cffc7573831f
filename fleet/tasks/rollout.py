"""The tasks that bring versions of the runtime to a fleet, take it back to earlier ones, and show which are where."""

from __future__ import annotations

from typing import Any, Dict, Union

from invoke.context import Context

from fleet.tasks.options import CONNECT, DIFF, HOSTS, OWN_ROLES, Table, end, skiff_task, told

TERMS: Table = {
    "batch": ("1,10%,50%", "Hosts in each batch, a count or percent; the last one repeats (default: 1,10%,50%)."),
    "gate": (
        [],
        "Asked after each batch: verify, pause, none, or a command of this machine that finds the batch in SKIFF_HOSTS; "
        "may be repeated (default: verify).",
    ),
    "max_failures": ("0", "Hosts that may fail or be unreachable in all, a count or percent of them (default: 0)."),
    "on_failure": ("rollback", "A batch that fails its gate: rollback puts it back, stop leaves it (default: rollback)."),
    "resume": ("", "Go on with the last rollout that was stopped or killed, or with the one of this name."),
}
UPGRADE: Table = {
    "to": ("", "A version whose bundle is in dist/ (`./inv bundle`), or a bundle's file."),
    "allow_downgrade": (False, "Even where a newer version is."),
}
ROLLBACK: Table = {"to": ("", "A version that the hosts keep (default: each host's previous one).")}
TABLES = (HOSTS, UPGRADE, TERMS, DIFF, OWN_ROLES, CONNECT)
DEFAULTS = {name: default for table in TABLES for name, (default, _) in table.items()}
AGAIN = ("forks", "json", "diff", "ask_pass", "ask_key_passphrase", "ask_become_pass")


def run(verb: str, given: Dict[str, Any]) -> None:
    """Begins a rollout, or goes on with one."""
    with told():
        from fleet.errors import UsageError
        from fleet.rollout import task
        from fleet.run.task import Options

        named: Union[str, bool] = given.pop("resume")
        other = [name for name, value in given.items() if name not in AGAIN and value != DEFAULTS[name]]
        if named and other:
            brief = f"--resume goes on with the options of its beginning, and --{other[0].replace('_', '-')} is another"
            raise UsageError(brief, resolution="leave it out, or begin anew: hosts already there are left alone")
        terms = [given.pop(name) for name in TERMS if name != "resume"]
        to, back = given.pop("to"), given.pop("allow_downgrade", True)
        if named:
            asked = {name: given[name] for name in AGAIN if given[name]}
            status = task.go_on("" if named is True else str(named), verb, asked)
        else:
            status = task.begin(task.Wish(verb, to, task.terms(*terms), back), Options(**given))
    end(status)


@skiff_task(HOSTS, UPGRADE, TERMS, DIFF, OWN_ROLES, CONNECT, optional=("resume",))
def upgrade(_: Context, **given: Any) -> None:
    """Bring another version of the runtime to hosts, batch by batch; containers run on, and a batch that fails its gate goes back.

    Example: ./inv upgrade --hosts all --to 0.2.0
    Example: ./inv upgrade --hosts 'web*' --to ./skiff-0.2.0-noarch.tar.gz --batch 1,5,25% --gate verify --gate ./smoke.sh
    Example: ./inv upgrade --resume
    """
    run("upgrade", given)


@skiff_task(HOSTS, ROLLBACK, TERMS, DIFF, OWN_ROLES, CONNECT, optional=("resume",))
def rollback(_: Context, **given: Any) -> None:
    """Take hosts back to the version that each had before, or to another that they keep, with the batches and gates of upgrade.

    Example: ./inv rollback --hosts @failed
    Example: ./inv rollback --hosts all --to 0.1.0 --batch 50%
    """
    run("rollback", given)


@skiff_task(HOSTS, OWN_ROLES, CONNECT)
def versions(_: Context, **given: Any) -> None:
    """Show which versions of the runtime hosts keep, and which their daemon, launcher and containers' shims run.

    Example: ./inv versions --hosts all
    Example: ./inv versions --hosts all --json
    """
    with told():
        from fleet.rollout import show, standing
        from fleet.run.task import Options, provision

        outcomes, status = provision(standing.NAME, "verify", Options(**given), (standing.asked(),))
    told_by_all = show.show(outcomes, given["json"])
    end(status or (0 if told_by_all else 2))
