"""Invoke's program, with a parser of just the tasks that the command line names: Invoke copies all that it is given, deeply."""

from __future__ import annotations

import re
from typing import Iterable

from invoke._version import __version__
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.program import Program

from fleet.tasks.options import told

# Invoke's own words.
UNKNOWN = re.compile(r"No idea what '(.*)' is!", re.DOTALL)
WITHOUT = re.compile(r"Flag <Argument: (\S+).*> needed value and was not given one!", re.DOTALL)


class Tasks(Program):
    """The program that `./inv` is."""

    def __init__(self) -> None:
        super().__init__(name="Invoke", binary="inv[oke]", binary_names=["invoke", "inv"], version=__version__)

    def parse_tasks(self) -> None:
        """Parses tasks and their options; a word that is none is told with the one that was meant, and nothing is begun."""
        with told():
            try:
                super().parse_tasks()
            except ParseError as error:
                self._explain(error)
                raise

    def _make_parser(self) -> Parser:
        # A word that is no task's name costs nothing; for a completion every name counts.
        named = {*self.argv, self.args.help.value}
        known = self.collection.to_contexts(ignore_unknown_help=self.config.tasks.ignore_unknown_help)
        wanted = [one for one in known if self.args.complete.value or not named.isdisjoint((one.name, *one.aliases))]
        return Parser(initial=self.initial_context, contexts=wanted)

    def _explain(self, error: ParseError) -> None:
        from fleet.errors import UsageError

        context = error.context
        task = context.name if context else None
        unknown, without = UNKNOWN.match(str(error)), WITHOUT.match(str(error))
        if without and task:
            option = "--" + without[1].replace("_", "-")
            raise UsageError(f"{task}: {option} has no value after it", resolution=f"./inv {task} --help tells what it takes")
        if not unknown:
            return
        word = unknown[1]
        if context is None or task is None:
            tasks = (*self.collection.task_names, *(name for names in self.collection.task_names.values() for name in names))
            meant = f"{alike(word, tasks)}./inv --list shows them all"
            raise UsageError(f"there is no {'option' if word.startswith('-') else 'task'} {word}", resolution=meant)
        if word.startswith("-"):
            meant = f"{alike(word, context.flags)}./inv {task} --help shows them all"
            raise UsageError(f"{task}: there is no option {word}", resolution=meant)
        raise UsageError(
            f"{task}: what is {word!r} to be?",
            resolution=f"write its option before it, as in --hosts web1; ./inv {task} --help shows them",
        )


def alike(word: str, known: Iterable[str]) -> str:
    """What was probably meant, as the beginning of a cure."""
    import difflib

    found = difflib.get_close_matches(word, sorted(known), n=1)
    return f"do you mean {found[0]}? " if found else ""
