"""What would change on a host, as its agent found it: for a person, with coloured diffs, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterator, Mapping, Tuple

RED, GREEN, YELLOW, CYAN, DIM, BOLD, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True)
class Change:
    """One resource that is not as it should be. `diff` is unified text, or empty.

    `fingerprint` is the agent's digest of the change and of the state that it starts from; empty where no plan may be kept.
    """

    id: str
    role: str
    handler: bool
    action: str
    summary: str
    diff: str
    fingerprint: str = ""

    @property
    def detail(self) -> str:
        """What the summary says beyond the action and the id."""
        said = detail(self.summary, self.id)
        return "" if said == self.action else said


@dataclass(frozen=True)
class Unchecked:
    """One resource that could not be checked."""

    id: str
    role: str
    brief: str
    details: str
    resolution: str


@dataclass(frozen=True)
class Plan:
    """All changes, in the order in which they would be made."""

    changes: Tuple[Change, ...] = ()
    errors: Tuple[Unchecked, ...] = ()

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> Plan:
        """The plan in an agent's `plan` message.

        Raises:
            KeyError: the message is not of protocol 1's form.
        """
        fields = ("id", "role", "handler", "action", "summary", "diff")
        # A record of an earlier version has no fingerprints.
        changes = tuple(
            Change(**{field: change[field] for field in fields}, fingerprint=change.get("fingerprint", ""))
            for change in message["changes"]
        )
        errors = tuple(
            Unchecked(fault["id"], fault["role"], *(fault["error"].get(part, "") for part in ("brief", "details", "resolution")))
            for fault in message["errors"]
        )
        return cls(changes, errors)

    def as_json(self) -> Dict[str, Any]:
        """The plan as plain data."""
        return {"changes": [asdict(change) for change in self.changes], "errors": [asdict(fault) for fault in self.errors]}

    def lines(self, colour: bool, diffs: bool) -> Iterator[str]:
        """The plan for a person, role by role."""
        role = None
        for change in self.changes:
            if change.role != role:
                role = change.role
                yield paint(f"  {role}", BOLD, colour)
            handler = " (handler)" if change.handler else ""
            action, summary = paint(f"{change.action:<8}", YELLOW, colour), paint(change.detail, DIM, colour)
            yield f"    {action} {change.id}{handler}  {summary}".rstrip()
            if diffs and change.diff:
                yield from coloured_diff(change.diff, colour, "      ")
        for fault in self.errors:
            yield f"    {paint('unknown ', RED, colour)} {fault.id}  {fault.brief}"
            yield from (f"      {line}" for line in (*fault.details.splitlines(), *fault.resolution.splitlines()))


def detail(summary: str, name: str) -> str:
    """A summary without the resource's name, where that is all that it has beside a verb."""
    verb, _, rest = summary.partition(" ")
    kind, _, own = name.partition(":")
    return verb if rest in (own, f"{kind} {own}") else summary


def paint(text: str, colour: str, wanted: bool) -> str:
    """The text in a colour, if colours are wanted."""
    return f"{colour}{text}{PLAIN}" if wanted and text else text


def coloured_diff(diff: str, colour: bool, indent: str) -> Iterator[str]:
    """A unified diff's lines, as diff --color would show them."""
    for line in diff.splitlines():
        heading = line.startswith(("+++", "---"))
        shade = BOLD if heading else {"+": GREEN, "-": RED, "@": CYAN}.get(line[:1], "")
        yield indent + (paint(line, shade, colour) if shade else line)
