"""The vocabulary of verification: probes that the agent runs on a host, and the checks that roles judge from their output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Tuple

from fleet.content import Content


@dataclass(frozen=True)
class Probe:
    """A read-only command on the host. `{name}` in `argv` is the path of a temporary file with `contents[name]`.

    `when` is "always", or "changed": in `verify`, and in `provision` only if something changed. `timeout` in seconds.
    """

    name: str
    argv: Tuple[str, ...]
    when: str = "always"
    timeout: float = 30.0
    contents: Mapping[str, Content] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a probe gave. `status` is the exit status, 127 where the program is missing, 124 where its time ran out."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Check:
    """One judged statement about a host: `title` says what should be, `detail` what was found, `cure` what to do."""

    title: str
    passed: bool
    detail: str = ""
    cure: str = ""
