"""The tasks that go to hosts: their state planned, brought about, verified; questions asked."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Union

from invoke.context import Context

from fleet.tasks.options import CHECK, CHOICE, CONNECT, DIFF, HOSTS, OWN_ROLES, ROLES, VERDICTS, Table, end, skiff_task, told

OUT: Table = {"out": ("", "Keep the plan in this file; `./inv apply FILE` carries out exactly that.")}
HERE: Table = {name: option for name, option in CONNECT.items() if name != "engine"}  # a kept plan stays on this machine
SAVED: Table = {
    "file": ("", "The file that `plan --out` wrote."),
    "hosts": ("", "Only these of the plan's hosts, named as everywhere; with --show, names and globs (default: all)."),
    "show": (False, "Show the plan that is in the file, and connect to nothing."),
}
AGAIN: Table = {name: ROLES[name] for name in ("role_path", "set_")}


def over_hosts(name: str, mode: str, given: Dict[str, Any], questions: Tuple[str, ...] = ()) -> Any:
    """Runs a task over its hosts: the outcomes and the exit status."""
    with told():
        from fleet.run.answers import question
        from fleet.run.task import Options, provision

        options = Options(settings=given.pop("set_", ()), **given)
        return provision(name, mode, options, tuple(question(*words.split()) for words in questions))


REBOOT: Table = {
    "reboot": (False, "Start hosts anew that need it, once all are as declared; wait for each, and verify it."),
    "reboot_batch": ("10%", "How many of them at a time: a number, or a share (default: 10%, and at least one)."),
    "reboot_timeout": ("600", "Seconds in which a host has to be back (default: 600)."),
    "force": (False, "Reboot even where containers run that would not be started again."),
}


@skiff_task(HOSTS, CHECK, DIFF, REBOOT, ROLES, CONNECT)
def provision(_: Context, check: bool, **given: Any) -> None:
    """Bring hosts to their declared state, deploy the runtime, and verify it.

    Example: ./inv provision --hosts 'web*,!web3' --diff --set firewalld=kept
    Example: ./inv provision --hosts all --reboot --reboot-batch 2
    """
    end(over_hosts("provision", "check" if check else "apply", given)[1])


@skiff_task(HOSTS, OUT, ROLES, CONNECT)
def plan(_: Context, **given: Any) -> None:
    """Say what provision would change, with the differences of files; change nothing.

    Example: ./inv plan --hosts all
    Example: ./inv plan --hosts all --out monday.plan
    """
    end(over_hosts("plan", "check", {**given, "diff": True})[1])


@skiff_task(SAVED, DIFF, AGAIN, HERE, positional=("file",), of=("apply",))
def apply(_: Context, file: str, show: bool, **given: Any) -> None:
    """Carry out a plan that was kept in a file: exactly that, on each host that has not moved on since.

    Example: ./inv apply monday.plan --hosts 'web*'
    Example: ./inv apply monday.plan --show
    """
    with told():
        from fleet.errors import UsageError
        from fleet.run import apply as saved
        from fleet.run.task import Options

        if not file:
            raise UsageError("apply: which plan?", resolution="./inv apply FILE, with the file that `plan --out FILE` wrote")
        if show:
            saved.show(file, given["hosts"], given["json"])
            return
        status = saved.apply(file, Options(settings=given.pop("set_", ()), **given))[1]
    end(status)


@skiff_task(HOSTS, CHOICE, DIFF, ROLES, CONNECT, VERDICTS, optional=("watch",))
def verify(_: Context, list_: bool, watch: Union[str, bool], **given: Any) -> None:
    """Check that hosts are as declared and able to run containers, by named checks with severities and remedies; change nothing.

    Ends with 0, or 4 if there are warnings, 2 if something critical failed, 3 if hosts were only unreachable.

    Example: ./inv verify --hosts web1 --json
    Example: ./inv verify --hosts all --skip mirrors_answer --junit verify.xml --html verify.html
    Example: ./inv verify --list --severity critical
    Example: ./inv verify --hosts web --severity warning --watch 30
    """
    if list_:
        with told():
            from fleet.run import checklist
            from fleet.run.task import Options

            checklist.show(Options(settings=given.pop("set_", ()), **given))
        return
    if watch:
        with told():
            from fleet.run import watch as rounds
            from fleet.run.task import Options

            status = rounds.watch(Options(settings=given.pop("set_", ()), **given), "" if watch is True else str(watch))
        end(status)
        return
    end(over_hosts("verify", "verify", given)[1])


@skiff_task(HOSTS, OWN_ROLES, CONNECT)
def facts(_: Context, **given: Any) -> None:
    """Show what hosts are: system, kernel, Pythons, SELinux, firewalld, storage.

    Example: ./inv facts --hosts all --json
    """
    from fleet.run.answers import show_facts

    outcomes, status = over_hosts("facts", "facts", given)
    show_facts(outcomes, given["json"])
    end(status)


@skiff_task(HOSTS, OWN_ROLES, CONNECT)
def version(_: Context, **given: Any) -> None:
    """Show `skiff version`, client and server, of each host, side by side.

    Example: ./inv version --hosts web1,web2
    """
    ask("version", given)


@skiff_task(HOSTS, OWN_ROLES, CONNECT)
def info(_: Context, **given: Any) -> None:
    """Show `skiff info` of each host, side by side.

    Example: ./inv info --hosts web1
    """
    ask("info", given)


def ask(question: str, given: Dict[str, Any]) -> None:
    """Shows what every host's client answers to a question."""
    from fleet.run.answers import show_answers

    outcomes, status = over_hosts(question, "verify", given, (question,))
    answered = show_answers(outcomes, question, given["json"])
    end(status or (0 if answered else 2))
