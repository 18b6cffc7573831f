"""YAML documents whose every value knows its file, line and key, so that a fault found later can still say where it is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, List, NoReturn, Optional

import yaml

from fleet.errors import UsageError

DEEPEST = 40


@dataclass(frozen=True)
class Entry:
    """One value of a document. `value` is a scalar, a list of entries, or a dict of entries by string key."""

    value: Any
    file: Optional[Path]
    line: int
    key: str

    @property
    def place(self) -> str:
        """Where the value stands, as a person would be told."""
        where = f"{shown(self.file)}:{self.line}" if self.file else "the command line"
        return f"{where}: {self.key}" if self.key else where

    def refuse(self, problem: str, cure: str = "") -> NoReturn:
        """Raises the UsageError that names this place."""
        raise UsageError(f"{self.place}: {problem}", resolution=cure)

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def mapping(self, known: Optional[Collection[str]] = None) -> Dict[str, Entry]:
        """The entries by key; nothing counts as an empty mapping. With `known`, any other key is refused."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.refuse(f"should be a mapping, not {kind(self.value)}")
        for key, entry in self.value.items():
            if known is not None and key not in known:
                entry.refuse("unknown key", suggestion(key, known))
        return self.value

    def sequence(self) -> List[Entry]:
        """The entries in order; nothing counts as an empty list."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.refuse(f"should be a list, not {kind(self.value)}")
        return self.value

    def string(self) -> str:
        """A string's value."""
        if not isinstance(self.value, str):
            self.refuse(f"should be a string, not {kind(self.value)}")
        return self.value


def shown(file: Path) -> Path:
    """A file as a person would name it from where they stand."""
    here = Path.cwd()
    return file.relative_to(here) if here in file.parents else file


def kind(value: object) -> str:
    """A value's type in YAML's words, with the value where it is short enough to show."""
    names = {dict: "a mapping", list: "a list", str: "the string", bool: "the boolean", int: "the integer", float: "the number"}
    if value is None:
        return "nothing"
    name = names.get(type(value), f"a {type(value).__name__}")
    if isinstance(value, (dict, list)):
        return name
    return f"{name} {str(value).lower() if isinstance(value, bool) else repr(value)}"


def suggestion(word: str, known: Collection[str]) -> str:
    """The sentence that helps with a word that is not known."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known))}" if known else ""


def load(path: Path) -> Entry:
    """The document in a file.

    Raises:
        UsageError: it cannot be read, is no YAML, or holds a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, path)


def parse(text: str, file: Optional[Path] = None, key: str = "") -> Entry:
    """The document in a text; `file` and `key` say where it stands.

    Raises:
        UsageError: it is no YAML, or holds a key twice.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Entry(None, file, 1, key)
        return convert(loader, node, file, key, 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{Entry(None, file, line, key).place}: is not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{Entry(None, file, 1, key).place}: is not YAML: {error}") from error
    finally:
        loader.dispose()


def convert(loader: yaml.SafeLoader, node: yaml.Node, file: Optional[Path], key: str, depth: int) -> Entry:
    """A node of PyYAML's tree as an entry."""
    line = node.start_mark.line + 1
    here = Entry(None, file, line, key)
    if depth > DEEPEST:
        here.refuse(f"is nested more than {DEEPEST} deep")
    if isinstance(node, yaml.SequenceNode):
        items = [convert(loader, child, file, f"{key}[{number}]", depth + 1) for number, child in enumerate(node.value)]
        return Entry(items, file, line, key)
    if not isinstance(node, yaml.MappingNode):
        return Entry(loader.construct_object(node), file, line, key)
    entries: Dict[str, Entry] = {}
    for name_node, value_node in node.value:
        # Names such as 1, on or 2001-01-01 are meant as they are written.
        name = name_node.value if isinstance(name_node, yaml.ScalarNode) else None
        path = f"{key}.{name}" if key else str(name)
        at = Entry(None, file, name_node.start_mark.line + 1, path)
        if name is None:
            at.refuse("a key should be a plain word")
        if name in entries:
            at.refuse(f"is given twice; the first is on line {entries[name].line}")
        value = convert(loader, value_node, file, path, depth + 1)
        entries[name] = Entry(value.value, file, at.line, path)
    return Entry(entries, file, line, key)
