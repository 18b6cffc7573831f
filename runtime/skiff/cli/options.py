"""A command's options as rows of a table: parsed, and printed as its help. Stands in for argparse, which costs 7 ms."""

from __future__ import annotations

from skiff.errors import SkiffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Optional

    # names ("-t, --time"), kind (flag, text, number, list), what the value is called, help
    Option = tuple[str, str, str, str]

TRUE = ("true", "1")
FALSE = ("false", "0")


class HelpWanted(Exception):
    """Somebody asked for help."""


class UsageError(SkiffError):
    """The command line is wrong; `status` is Docker's for it."""

    def __init__(self, message: str, status: int = 125) -> None:
        self.status = status
        super().__init__(message)


class Command:
    """What a command is called with, and what for; `least` and `most` bound its arguments (None: no bound)."""

    def __init__(
        self,
        usage: str,
        summary: str,
        options: Sequence[Option] = (),
        examples: str = "",
        least: int = 0,
        most: Optional[int] = 0,
        interspersed: bool = True,
    ) -> None:
        self.usage = usage
        self.summary = summary
        self.options = options
        self.examples = examples
        self.least = least
        self.most = most
        self.interspersed = interspersed

    def help(self) -> str:
        """The text that --help prints."""
        lines = [f"Usage:  skiff {self.usage}", "", self.summary]
        if self.options:
            rows = [(_heading(option), option[3]) for option in self.options]
            width = max(len(heading) for heading, _ in rows)
            lines += ["", "Options:", *(f"  {heading.ljust(width)}   {text}" for heading, text in rows)]
        if self.examples:
            lines += ["", "Examples:", *(f"  {line}" for line in self.examples.strip().splitlines())]
        return "\n".join(lines)

    def parse(self, arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
        """The options that were given, by their longest name with underscores, and the arguments left."""
        values, left = parse(self.options, arguments, self.interspersed)
        name = self.usage.split()[0]
        if len(left) < self.least or (self.most is not None and len(left) > self.most):
            raise UsageError(f"'skiff {name}' {_count(self.least, self.most)}", 1)
        return values, left


def _heading(option: Option) -> str:
    names, kind, value, _ = option
    indent = "" if names.startswith("-") and not names.startswith("--") else "    "
    return f"{indent}{names}{'' if kind == 'flag' else ' ' + value}"


def _count(least: int, most: Optional[int]) -> str:
    if most == 0:
        return "accepts no arguments"
    if least == most:
        return f"requires {least} argument{'' if least == 1 else 's'}"
    if most is None:
        return f"requires at least {least} argument{'' if least == 1 else 's'}"
    return f"requires between {least} and {most} arguments"


def parse(options: Sequence[Option], arguments: list[str], interspersed: bool) -> tuple[dict[str, Any], list[str]]:
    """As GNU has it, but that without `interspersed` the first argument ends the options."""
    table = {name: (option[0].split(", ")[-1], option[1]) for option in options for name in option[0].split(", ")}
    values: dict[str, Any] = {}
    left: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            return values, left + words
        if word == "-" or not word.startswith("-"):
            left.append(word)
            if not interspersed:
                return values, left + words
        elif word in ("--help", "-h") and word not in table:
            raise HelpWanted
        elif word.startswith("--"):
            _long(table, values, word, words)
        else:
            _short(table, values, word, words)
    return values, left


def _long(table: dict[str, tuple[str, str]], values: dict[str, Any], word: str, words: list[str]) -> None:
    name, separator, text = word.partition("=")
    if name not in table:
        raise UsageError(f"unknown flag: {name}")
    target, kind = table[name]
    if kind == "flag":
        if separator and text not in TRUE + FALSE:
            raise UsageError(f'invalid argument "{text}" for "{name}" flag: must be true or false')
        _store(values, target, kind, text not in FALSE if separator else True)
    elif separator:
        _store(values, target, kind, text)
    elif words:
        _store(values, target, kind, words.pop(0))
    else:
        raise UsageError(f"flag needs an argument: {name}")


def _short(table: dict[str, tuple[str, str]], values: dict[str, Any], word: str, words: list[str]) -> None:
    """-aq, -m 32m, -m32m, -m=32m."""
    rest = word[1:]
    while rest:
        name, rest = f"-{rest[0]}", rest[1:]
        if name not in table:
            raise UsageError(f"unknown shorthand flag: '{name[1]}' in {word}")
        target, kind = table[name]
        if kind == "flag":
            _store(values, target, kind, True)
            continue
        if not rest and not words:
            raise UsageError(f"flag needs an argument: '{name[1]}' in {word}")
        _store(values, target, kind, (rest[1:] if rest.startswith("=") else rest) or words.pop(0))
        return


def _store(values: dict[str, Any], target: str, kind: str, value: Any) -> None:
    key = target.lstrip("-").replace("-", "_")
    if kind == "list":
        values.setdefault(key, []).append(value)
        return
    if kind == "number":
        try:
            value = int(value)
        except ValueError:
            raise UsageError(f'invalid argument "{value}" for "{target}" flag: must be a whole number') from None
    values[key] = value
