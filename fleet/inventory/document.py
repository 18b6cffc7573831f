"""YAML documents whose every value knows its file, line and key, so that a fault found later can still say where it is."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, NoReturn, Optional, Tuple

import yaml

from fleet.errors import UsageError
from fleet.inventory import nodes
from fleet.inventory.references import reference

DEEPEST = 40
MOST = 300_000
LONGEST = 60
BRACKETS = re.compile(r"[\[\]{}]")
MOST_OPEN = 100
DEEP_LINE = re.compile(r"^[ \t?:-]{200}", re.MULTILINE)
VAULT_CURE = "Skiff reads no vault: decrypt it with ansible-vault, then ./inv secrets.encrypt (docs/guides/secrets.md)"


@dataclass(frozen=True)
class Entry:
    """One value of a document. `value` is a scalar, a list of entries, or a dict of entries by string key."""

    value: Any
    file: Optional[Path]
    line: int
    key: str
    # From an Ansible inventory, where a name that no role declares is somebody else's.
    foreign: bool = False

    @property
    def place(self) -> str:
        """Where the value stands, as a person would be told."""
        where = f"{shown(self.file)}:{self.line}" if self.file else "the command line"
        return f"{where}: {self.key}" if self.key else where

    def refuse(self, problem: str, cure: str = "") -> NoReturn:
        """Raises the UsageError that names this place."""
        raise UsageError(f"{self.place}: {problem}", resolution=cure)

    def plain(self) -> Any:
        """The value without places; a secret's form as a `Reference`."""
        found = reference(self)
        if found is not None:
            return found
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def refuse_unreadable(self) -> None:
        """Refuses what only Ansible could read: a vaulted value, a template in an Ansible inventory."""
        if isinstance(self.value, nodes.Vaulted):
            self.refuse("is encrypted by ansible-vault", VAULT_CURE)
        if self.foreign and isinstance(self.value, str) and ("{{" in self.value or "{%" in self.value):
            self.refuse("is a template", "Skiff evaluates no template of an inventory: write the value itself")
        for entry in self.value.values() if isinstance(self.value, dict) else self.value if isinstance(self.value, list) else ():
            replace(entry, foreign=self.foreign).refuse_unreadable()

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
    if isinstance(value, nodes.Vaulted):
        return "a value encrypted by ansible-vault"
    names = {dict: "a mapping", list: "a list", str: "the string", bool: "the boolean", int: "the integer", float: "the number"}
    if value is None:
        return "nothing"
    name = names.get(type(value), f"a {type(value).__name__}")
    if isinstance(value, (dict, list)):
        return name
    said = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{name} {said if len(said) <= LONGEST else said[:LONGEST] + '...'}"


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
    return parse(read(path), path)


def read(path: Path) -> str:
    """A file's text.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown(path)}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse(text: str, file: Optional[Path] = None, key: str = "") -> Entry:
    """The document in a text; `file` and `key` say where it stands.

    Raises:
        UsageError: it is no YAML, or holds a key twice.
    """
    quick = parsed_quickly(text)
    if quick is not None:
        loader, node = quick
        return Entry(None, file, 1, key) if node is None else Converter(loader, file).entry(node, key, 0)
    return parsed_carefully(text, file, key)


def parsed_quickly(text: str) -> Optional[Tuple[Any, Optional[yaml.Node]]]:
    """The tree by libyaml, ten times as fast; None for what it refuses: PyYAML itself has better words for a fault."""
    kind = getattr(yaml, "CSafeLoader", None)
    if kind is None or not is_flat(text):
        return None
    try:
        loader = kind(text)
        return loader, loader.get_single_node()
    except (yaml.YAMLError, ValueError):
        return None


def is_flat(text: str) -> bool:
    """Whether it is sure to nest little: libyaml's nesting is the C stack's, which has no limit but its end."""
    depth = 0
    for bracket in BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > MOST_OPEN:
            return False
    return DEEP_LINE.search(text) is None


def parsed_carefully(text: str, file: Optional[Path], key: str) -> Entry:
    """The document by PyYAML itself, each fault with its line."""
    at = Entry(None, file, 1, key)
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(f"{replace(at, line=line).place}: is not YAML: it holds {chr(error.character)!r}") from error
    try:
        node = loader.get_single_node()
        return at if node is None else Converter(loader, file).entry(node, key, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = f"{error.context}, {error.problem}" if (error.context or "").startswith("expected") else error.problem
        raise UsageError(f"{replace(at, line=mark.line + 1 if mark else 1).place}: is not YAML: {said}") from error
    except RecursionError as error:
        raise UsageError(f"{at.place}: is nested more than {DEEPEST} deep") from error
    finally:
        loader.dispose()


class Converter:
    """Turns PyYAML's tree into entries; counts them, for aliases make much out of little."""

    def __init__(self, loader: Any, file: Optional[Path]) -> None:
        self._loader = loader
        self._file = file
        self._left = MOST

    def entry(self, node: yaml.Node, key: str, depth: int) -> Entry:
        """A node as an entry."""
        here = Entry(None, self._file, node.start_mark.line + 1, key)
        self._left -= 1
        if self._left < 0:
            here.refuse(f"the document holds more than {MOST} values", "aliases (*name) repeat all that their anchor holds")
        if depth > DEEPEST:
            here.refuse(f"is nested more than {DEEPEST} deep")
        try:
            if isinstance(node, yaml.ScalarNode):
                return replace(here, value=nodes.scalar(self._loader, node))
            nodes.refuse_tag(node)
            if isinstance(node, yaml.SequenceNode):
                items = [self.entry(child, f"{key}[{number}]", depth + 1) for number, child in enumerate(node.value)]
                return replace(here, value=items)
            assert isinstance(node, yaml.MappingNode)
            return replace(here, value=self._mapping(node, key, depth))
        except ValueError as error:
            here.refuse(str(error))

    def _mapping(self, node: yaml.MappingNode, key: str, depth: int) -> Dict[str, Entry]:
        entries = {name: self._member(pair, key, depth) for name, pair in self._named(nodes.merged(node), key)}
        mine: Dict[str, Entry] = {}
        for name, pair in self._named(nodes.own(node), key):
            if name in mine:
                at = Entry(None, self._file, pair[0].start_mark.line + 1, joined(key, name))
                at.refuse(f"is given twice; the first is on line {mine[name].line}")
            mine[name] = self._member(pair, key, depth)
        return {**entries, **mine}

    def _named(self, pairs: List[nodes.Pair], key: str) -> Iterator[Tuple[str, nodes.Pair]]:
        for pair in pairs:
            if not isinstance(pair[0], yaml.ScalarNode):
                Entry(None, self._file, pair[0].start_mark.line + 1, key).refuse("a key should be a plain word")
            # Names such as 1, on or 2001-01-01 are meant as they are written.
            yield pair[0].value, pair

    def _member(self, pair: nodes.Pair, key: str, depth: int) -> Entry:
        name, value = pair
        found = self.entry(value, joined(key, name.value), depth + 1)
        return replace(found, line=name.start_mark.line + 1)


def joined(key: str, name: str) -> str:
    """The key of a mapping's member."""
    return f"{key}.{name}" if key else name
