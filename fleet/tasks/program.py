"""Invoke's program, with a parser of just the tasks that the command line names: Invoke copies all that it is given, deeply."""

from __future__ import annotations

from invoke._version import __version__
from invoke.parser import Parser
from invoke.program import Program


class Tasks(Program):
    """The program that `./inv` is."""

    def __init__(self) -> None:
        super().__init__(name="Invoke", binary="inv[oke]", binary_names=["invoke", "inv"], version=__version__)

    def _make_parser(self) -> Parser:
        # A word that is no task's name costs nothing; for a completion every name counts.
        named = {*self.argv, self.args.help.value}
        known = self.collection.to_contexts(ignore_unknown_help=self.config.tasks.ignore_unknown_help)
        wanted = [one for one in known if self.args.complete.value or not named.isdisjoint((one.name, *one.aliases))]
        return Parser(initial=self.initial_context, contexts=wanted)
