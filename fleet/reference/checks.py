"""Every check of `./inv verify`, as the roles claim it."""

from __future__ import annotations

from typing import Iterable, Iterator, List, Tuple

from fleet.checks import Claim, in_general

TITLE = """# Every check

Drawn from the roles' claims by `./inv reference`; `./inv verify --list` shows the same. [Verification](../guides/verification.md)
tells what the severities mean and how to choose. Words in capitals stand for a host's own. Checks marked with * are looked at
with `--boot`, or where `--only` names them.
"""
HEADINGS = "| check | severity | what should be | else | remedy |\n| --- | --- | --- | --- | --- |"


def page(rows: Iterable[Tuple[str, Claim]]) -> str:
    """The page of these claims, each with its role."""
    return "\n".join([TITLE, *_sections(list(rows))]) + "\n"


def _sections(rows: List[Tuple[str, Claim]]) -> Iterator[str]:
    for role in dict.fromkeys(role for role, _ in rows):
        yield f"\n## {role}\n\n{HEADINGS}"
        yield from (_row(claim) for owner, claim in rows if owner == role)


def _row(claim: Claim) -> str:
    cells = (claim.title, claim.breaks, claim.cure)
    title, breaks, cure = (in_general(text).replace("|", "\\|") for text in cells)
    return f"| `{claim.name}`{' *' if claim.demand else ''} | {claim.severity} | {title} | {breaks} | `{cure}` |"
