"""The tasks that go back: copies of files brought back, and everything that Skiff did on hosts undone."""

from __future__ import annotations

from typing import Any, Dict

from invoke.context import Context

from fleet.tasks.options import CHECK, CONNECT, DIFF, HOSTS, OWN_ROLES, Table, end, skiff_task, told

FORCE: Table = {"force": (False, "Even where somebody else changed a file since, or (deprovision) containers run.")}
RESTORE: Table = {
    "list_": (False, "List what is kept, the newest first, and change nothing."),
    "path": ("", "Only the file or link at this path; without --run or --since as it was before its last change."),
    "run": ("", "As it was before this run; the beginning of its name does. `./inv runs.list` names them."),
    "since": ("", "As it was before this run and all later ones."),
}
PURGE: Table = {"purge_data": (False, "Remove images, containers and volumes as well.")}


def back(task: str, check: bool, undo: Dict[str, Any], given: Dict[str, Any]) -> Any:
    """Runs one of these tasks; the outcomes and the exit status."""
    with told():
        from fleet.run.task import Options, provision

        return provision(task, "check" if check else "apply", Options(**given), undo=undo)


@skiff_task(HOSTS, RESTORE, FORCE, CHECK, DIFF, OWN_ROLES, CONNECT)
def restore(_: Context, list_: bool, path: str, run: str, since: str, force: bool, check: bool, **given: Any) -> None:
    """Bring back files that runs replaced or removed, from the copies on the hosts; what listens to them is restarted.

    Example: ./inv restore --hosts web1 --list
    Example: ./inv restore --hosts web1 --path /etc/skiff/daemon.json --diff
    """
    with told():
        from fleet.run import copies

        copies.check_options(path, run, since, list_)
    if list_:
        outcomes, status = back("copies", True, {"what": "copies"}, given)
        copies.show(outcomes, path, given["json"])
        end(status)
        return
    end(back("restore", check, {"what": "restore", "path": path, "run": run, "since": since, "force": force}, given)[1])


@skiff_task(HOSTS, FORCE, PURGE, CHECK, DIFF, OWN_ROLES, CONNECT)
def deprovision(_: Context, force: bool, purge_data: bool, check: bool, **given: Any) -> None:
    """Undo everything that Skiff did on hosts, the last first, and say what is left and why.

    Example: ./inv deprovision --hosts web1 --check
    Example: ./inv deprovision --hosts web1 --purge-data
    """
    with told():
        from fleet.run.copies import CLIENTS
    undo = {"what": "deprovision", "force": force, "purge": purge_data, "clients": CLIENTS}
    end(back("deprovision", check, undo, given)[1])
