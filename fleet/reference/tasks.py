"""Every task with its options, as Invoke knows them."""

from __future__ import annotations

import copy
import inspect
from typing import Any, Container, Iterator, List

from invoke.collection import Collection
from invoke.parser.argument import Argument

TITLE = """# Every task

Drawn from the tasks themselves by `./inv reference`. `./inv TASK --help` shows the same in a terminal. Exit status: 0 done,
1 wrong usage, 2 a host failed, 3 only unreachable hosts, 130 interrupted.
"""
COMMON = "## Connecting\n\nThe options of every task that goes to hosts; the tables below tell only what is a task's own.\n"


def page(root: Collection, connecting: Container[str]) -> str:
    """The page of all tasks of a collection, in the order of its list; the options named `connecting` are told once."""
    options = {name: arguments(root[name]) for name in root.task_names}
    common = [argument for argument in options["provision"] if _attribute(argument) in connecting]
    lines = [TITLE, COMMON, *_table(common)]
    for name, taken in options.items():
        own = [argument for argument in taken if _attribute(argument) not in connecting]
        goes_to_hosts = any(_attribute(argument) == "connect_timeout" for argument in taken)
        lines += _section(name, root[name].__doc__ or "", own if goes_to_hosts else taken)
        if goes_to_hosts:
            lines.append("\nIt takes the options of [connecting](#connecting), too.")
    return "\n".join(lines) + "\n"


def _section(name: str, doc: str, arguments: List[Argument]) -> Iterator[str]:
    summary, _, rest = inspect.cleandoc(doc).partition("\n\n")
    examples = [line.partition("Example: ")[2] for line in rest.splitlines() if line.startswith("Example: ")]
    prose = "\n".join(line for line in rest.splitlines() if not line.startswith("Example: ")).strip()
    yield f"\n## {name}\n\n{' '.join(summary.split())}"
    if prose:
        yield f"\n{prose}"
    if examples:
        yield "\n```console\n" + "\n".join(f"# {example}" for example in examples) + "\n```"
    if arguments:
        yield ""
        yield from _table(arguments)


def arguments(task: Any) -> List[Argument]:
    """A task's arguments, from a copy: Invoke takes each help text out of the task as it makes the argument."""
    copied = copy.copy(task)
    copied.help = dict(task.help)
    return list(copied.get_arguments())


def _attribute(argument: Argument) -> str:
    return str(argument.attr_name or argument.name)


def _table(arguments: List[Argument]) -> Iterator[str]:
    yield "| option | meaning |\n| --- | --- |"
    for argument in arguments:
        name = str(argument.name)
        word = name.upper() if argument.positional else f"--{name.replace('_', '-').strip('-')}"
        yield f"| `{word}` | {(argument.help or '').replace('|', chr(92) + '|')} |"
