"""The vocabulary of verification: probes that the agent runs on a host, and the checks that roles judge from their output."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from fleet.content import Content

# What breaks tells them apart: containers do not run as declared, now or after a boot; something beside them is impaired, or will
# be; nothing is, and somebody should know.
CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (INFO, WARNING, CRITICAL)  # rising

# When a probe is run: whenever a run applies or verifies; in `verify`, and in `provision` if something changed; in `verify` alone.
ALWAYS, CHANGED, VERIFY = "always", "changed", "verify"


@dataclass(frozen=True)
class Probe:
    """A read-only command on the host, or a `look` of the agent's own. Times are in seconds.

    `{name}` in `argv` is the path of a temporary file with `contents[name]`. A look is a module of fleet/agent/looks, is told what
    is `given`, and answers in JSON on stdout. A command that fails is run again for as long as `patience`, if the `unit` that
    answers it is up or coming up.
    """

    name: str
    argv: Tuple[str, ...] = ()
    when: str = ALWAYS
    timeout: float = 30.0
    contents: Mapping[str, Content] = field(default_factory=dict)
    look: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    patience: float = 0.0
    unit: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a probe gave. `status` is the exit status, 127 where the program is missing, 124 where its time ran out."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Check:
    """One judged statement about a host.

    `title` says what should be, `detail` what was found, `expected` what was declared, `cure` what to do; `{host}` in it is the
    host's name in the inventory. `name` is its claim's; a role that makes no claims has checks of its own name.
    """

    title: str
    passed: bool
    detail: str = ""
    cure: str = ""
    name: str = ""
    severity: str = CRITICAL
    expected: str = ""

    def __post_init__(self) -> None:
        insist(self.severity)


@dataclass(frozen=True)
class Claim:
    """What a role says of every host, before any is looked at. `./inv verify --list` shows it, `--only` and `--skip` name it.

    `severity` is the highest that it is judged with; `breaks` says what goes wrong where it fails, `cure` what to do. Words in
    braces in `title` and `cure` are filled in when it is judged. `probes` are the role's probes that it takes; a claim on `demand`
    is looked at only where a run asks for it.
    """

    name: str
    title: str
    breaks: str
    cure: str
    severity: str = CRITICAL
    probes: Tuple[str, ...] = ()
    demand: bool = False

    def __post_init__(self) -> None:
        insist(self.severity)

    def judged(self, passed: bool, detail: str = "", expected: str = "", severity: str = "", **words: str) -> Check:
        """The check of one host; `severity` where it is less than the claim's."""
        title, cure = filled(self.title, words), filled(self.cure, words)
        return Check(title, passed, detail, cure, self.name, severity or self.severity, "" if passed else expected)


def in_general(text: str) -> str:
    """The text with its words in braces in capitals: they stand for a host's own."""
    return re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), text)


def insist(severity: str) -> None:
    """Insists on a severity that there is.

    Raises:
        ValueError: it is none.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"severity should be one of {', '.join(SEVERITIES)}, not {severity!r}")


def filled(text: str, words: Mapping[str, str]) -> str:
    """The text with its words in braces replaced by those that are known."""
    return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), text)
