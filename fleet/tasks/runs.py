"""The tasks that look back at recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.context import Context

from fleet.tasks.options import CONNECT, DIFF, Table, end, skiff_task, told

RUN: Table = {
    "run": ("", "The run's name, or the beginning of it (default: the last run)."),
}
JSON: Table = {"json": CONNECT["json"]}


@skiff_task(JSON)
def runs_list(_: Context, json: bool) -> None:
    """List the recorded runs, the newest first: when, what, by whom, hosts by state.

    Example: ./inv runs.list
    """
    with told():
        from fleet.report import text

        text.print_list(json)


@skiff_task(RUN, DIFF, JSON, positional=("run",), of=("runs.show",))
def runs_show(_: Context, run: str, diff: bool, json: bool) -> None:
    """Show one recorded run: what changed and what failed on each host.

    Example: ./inv runs.show --diff
    """
    with told():
        from fleet.report import text

        text.print_run(run, diff, json)


@skiff_task(
    RUN,
    {"out": ("", "The file to write (default: skiff-RUN.html, here).")},
    positional=("run",),
    of=("report",),
)
def report(_: Context, run: str, out: str) -> None:
    """Draw one recorded run as a page in one file: hosts by state, where time went, differences, failures, checks.

    Example: ./inv report --out last.html
    """
    with told():
        from fleet.report import outcomes, page

        recorded = outcomes.read(run)
        path = Path(out or f"skiff-{recorded.run.name}.html")
        page.write(path, page.render(recorded))
        print(path)


@skiff_task(
    {"run": ("", "The run's name, or the beginning of it (default: the last run that left something undone).")},
    {name: CONNECT[name] for name in ("forks", "json", "ask_pass", "ask_key_passphrase", "ask_become_pass")},
    positional=("run",),
    of=("resume",),
)
def resume(_: Context, run: str, **given: Any) -> None:
    """Do the rest of a run: the same again on the hosts that failed, were not reached, or were not finished.

    Example: ./inv resume
    """
    with told():
        from fleet.recorded import whole
        from fleet.run.resume import rest
        from fleet.run.task import Options, provision

        found = rest(run)
        asked = {name: value for name, value in given.items() if value}
        with whole(found.run):
            options = Options(hosts=found.hosts, **{**found.options, **asked})
        status = provision(found.task, found.mode, options, undo=found.undo, resumes=found.run)[1]
    end(status)
