"""Every role's variables, as its defaults.yml declares them."""

from __future__ import annotations

import json
from typing import Iterator, Mapping

from fleet.variables import Variable

TITLE = """# Every role and variable

Drawn from the roles' `defaults.yml` by `./inv reference`, in the order in which the roles run. A variable stands in the inventory
(all < group < host), or comes as `--set key=value`. Each role's README tells what it does with them and how to undo it.
"""


def page(roles: Mapping[str, Mapping[str, Variable]], summaries: Mapping[str, str]) -> str:
    """The page of these roles: name to variables, and name to one line of what it does."""
    sections = (line for name, variables in roles.items() for line in _section(name, summaries[name], variables))
    return "\n".join([TITLE, *sections]) + "\n"


def _section(role: str, summary: str, variables: Mapping[str, Variable]) -> Iterator[str]:
    yield f"\n## [{role}](../../roles/{role})\n\n{summary}\n"
    if not variables:
        yield "It has no variables."
        return
    yield "| variable | type | default | meaning |\n| --- | --- | --- | --- |"
    for variable in variables.values():
        form = " or ".join(f"`{choice}`" for choice in variable.choices) or variable.type
        meaning = " ".join(variable.help.split()).replace("|", "\\|")
        yield f"| `{variable.name}` | {form} | `{json.dumps(variable.default)}` | {meaning} |"
