"""Every message of the suite and of the agent with its cure, read from the code that raises it."""

from __future__ import annotations

import ast
import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

TITLE = """# Every message

Drawn from the code by `./inv reference`: what Skiff says when something is wrong, and what to do about it. *Slanted* words stand
for what differs from case to case. [Troubleshooting](../guides/troubleshooting.md) tells how to look further.
"""
REFUSED = "refused"
RAISED = {
    "UsageError": ("Wrong usage", "Nothing was connected to; exit status 1."),
    "UnreachableError": ("Hosts that are not reached", "Exit status 3 when nothing else failed."),
    "HostError": ("Hosts on which something failed", "Exit status 2."),
    "AgentError": ("Told by the host's agent", "A resource failed, the others were seen to; exit status 2."),
    "FleetError": ("Told by this machine", "Exit status 1."),
}
KINDS = {
    **RAISED,
    REFUSED: ("Hosts that are refused", "Told by a role before anything is changed there, all reasons at once; exit status 2."),
}


@dataclass(frozen=True)
class Message:
    """A message with the name of its exception, or that it refuses a host; and the cure: empty where the message is enough."""

    kind: str
    text: str
    cure: str


def page(sources: Iterable[Path]) -> str:
    """The page of all messages in these Python files, sorted by kind and text."""
    found = {message for path in sources for message in read(path)}
    lines = [TITLE]
    for kind, (heading, status) in KINDS.items():
        of_kind = sorted((message for message in found if message.kind == kind), key=_place)
        lines += [f"\n## {heading}\n\n{status}\n\n| message | what to do |\n| --- | --- |"]
        lines += [f"| {_cell(message.text)} | {_cell(message.cure)} |" for message in of_kind]
    return "\n".join(lines) + "\n"


def _place(message: Message) -> Tuple[str, str, str]:
    return message.text.lstrip("*`").lower(), message.text, message.cure


def read(path: Path) -> Iterator[Message]:
    """The messages that a file raises with words of its own."""
    tree = ast.parse(path.read_text())
    constants = _texts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args:
            text = _words(node.args[0], constants)
            if text and " " in text.strip("*"):
                yield Message(node.func.id, text, _cure(node, constants))
        elif isinstance(node, ast.FunctionDef) and node.returns:
            yield from _returned(node, ast.unparse(node.returns), constants)


def _returned(function: ast.FunctionDef, kind: str, constants: Dict[str, ast.expr]) -> Iterator[Message]:
    """The messages that a function returns for others to raise: a pair of `Refusal`, or the sentences of a role that refuses."""
    parts = {id(part) for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(function):
        if "Refusal" in kind and isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            text, cure = (_words(part, constants) for part in node.value.elts)
            if text:
                yield Message("AgentError", text, cure or "")
        elif kind == "List[str]" and isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in parts:
            text = _words(node, constants)
            if text and text.endswith(".") and " " in text and text != ast.get_docstring(function, clean=False):
                yield Message(REFUSED, text, "")


def _texts(tree: ast.Module) -> Dict[str, ast.expr]:
    """What stands for a name that a file gives one value alone."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    pairs = [(name.id, node.value) for node in assigned for name in node.targets if isinstance(name, ast.Name)]
    times = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if times[name] == 1}


def _cure(call: ast.Call, constants: Dict[str, ast.expr]) -> str:
    named: List[ast.expr] = [keyword.value for keyword in call.keywords if keyword.arg == "resolution"]
    return next((_words(value, constants) or "" for value in [*named, *call.args[2:3]]), "")


def _words(node: ast.expr, constants: Dict[str, ast.expr]) -> Optional[str]:
    """An expression as text, with its variable parts slanted; None if nothing of it is fixed."""
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part, constants) or "" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"*{_name(node.value)}*"
    if isinstance(node, ast.Name):
        return _words(constants[node.id], constants) if node.id in constants else None
    if isinstance(node, ast.IfExp):
        return " / ".join(text for text in (_words(node.body, constants), _words(node.orelse, constants)) if text)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return "".join(_words(part, constants) or f"*{_name(part)}*" for part in (node.left, node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _filled(_words(node.func.value, constants), node)
    return None


def _filled(template: Optional[str], call: ast.Call) -> Optional[str]:
    """What str.format makes of a template, with names for values."""
    if template is None:
        return None
    positional = iter(call.args)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    text = ""
    for fixed, field, _, _ in string.Formatter().parse(template):
        text += fixed
        if field is not None:
            value = named.get(field) if field else next(positional, None)
            text += f"*{_name(value) if value is not None else field or 'value'}*"
    return text


def _name(node: ast.expr) -> str:
    """The noun of an expression: its last attribute, variable or argument."""
    if isinstance(node, ast.Attribute):
        return "kind" if node.attr == "__name__" else node.attr.strip("_")
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    if isinstance(node, ast.Subscript):
        return (
            _name(node.slice) if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str) else _name(node.value)
        )
    if isinstance(node, ast.Call):
        return _name(node.args[0] if node.args else node.func)
    names = (
        _name(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr) and not isinstance(part, ast.Constant)
    )
    return next(names, "value")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
