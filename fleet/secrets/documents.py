"""The encrypted values in a YAML file: found with their keys, and put anew where they stand, all else in the file left as it is."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Set

import yaml

from fleet.errors import UsageError

ENDINGS = (".yml", ".yaml")


@dataclass(frozen=True)
class Block:
    """One encrypted value: the key that it is the value of, and where its text begins and ends in the file's."""

    key: str
    armoured: str
    start: int
    end: int
    indent: int


def blocks(text: str, path: Path) -> List[Block]:
    """Every `secret: {age: ...}`, in the order of the file; what an alias repeats counts once.

    Raises:
        UsageError: it is no YAML.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is not YAML") from error
    found = {block.start: block for block in within(node, "", set())}
    return [found[start] for start in sorted(found)]


def within(node: Optional[yaml.Node], key: str, seen: Set[int]) -> Iterator[Block]:
    """The encrypted values in a node and below."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from within(item, f"{key}[{number}]", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        if key.rpartition(".")[2] == "secret" and name.value == "age" and isinstance(value, yaml.ScalarNode):
            ends = value.start_mark.index, value.end_mark.index
            yield Block(key[: -len("secret")].rstrip("."), value.value, *ends, indent=name.start_mark.column + 2)
        yield from within(value, f"{key}.{name.value}" if key else str(name.value), seen)


def replaced(text: str, block: Block, armoured: str) -> str:
    """The file's text with another value in a block's place."""
    old = text[block.start : block.end]
    rest = old[len(old.rstrip()) :]
    return text[: block.start] + literal(armoured, block.indent) + rest + text[block.end :]


def literal(armoured: str, indent: int) -> str:
    """An armoured text as YAML's literal block, without the last newline."""
    return "|" + "".join(f"\n{' ' * indent}{line}" for line in armoured.strip().splitlines())


def form(armoured: str, name: str) -> str:
    """What is pasted into an inventory."""
    indent = 2 if name else 0
    head = f"{name}:\n" if name else ""
    return f"{head}{' ' * indent}secret:\n{' ' * indent}  age: {literal(armoured, indent + 4)}\n"


def chosen(found: List[Block], key: str, path: Path) -> Block:
    """The value of a key, or the only one.

    Raises:
        UsageError: there is no such one, or several.
    """
    known = ", ".join(block.key for block in found)
    matching = [block for block in found if not key or block.key == key]
    if not found:
        raise UsageError(f"{path}: holds no value encrypted with age", resolution="./inv secrets.encrypt makes one")
    if not matching:
        raise UsageError(f"{path}: has no encrypted value {key!r}", resolution=f"there are: {known}")
    if len(matching) > 1:
        raise UsageError(f"{path}: holds several encrypted values", resolution=f"name one by --key: {known}")
    return matching[0]


def update(path: Path, change: Callable[[str], str]) -> bool:
    """Puts a changed text in a file's place in one step, with its mode; whether it differed.

    Raises:
        UsageError: the file cannot be read or written.
    """
    try:
        old = path.read_text(encoding="utf-8")
        new = change(old)
        if new == old:
            return False
        real = path.resolve()
        descriptor, aside = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(new)
                stream.flush()
                os.fchmod(descriptor, real.stat().st_mode & 0o7777)
                os.fsync(descriptor)
            os.replace(aside, real)
        except BaseException:
            os.unlink(aside)
            raise
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    return True


def below(directory: Path) -> List[Path]:
    """The YAML files in a directory and below."""
    return sorted(path for path in directory.rglob("*") if path.suffix in ENDINGS and path.is_file())
