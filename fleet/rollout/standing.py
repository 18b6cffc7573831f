"""What hosts run: the question, its answer, and the version to go back to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from fleet.agent import versions
from fleet.checks import Probe
from fleet.content import Content
from fleet.events import Fault, HostOutcome

NAME = "versions"
# The runtime's own interpreter, where there is one; else what the agent too would take.
SCRIPT = (
    'for python in "$2/current/python" /usr/libexec/platform-python python3 python3.13 python3.12 python3.11 python3.10 python3.9 '
    'python3.8 python3.7 python3.6; do command -v "$python" >/dev/null 2>&1 && exec "$python" -I -S "$@"; done; exit 127'
)


@dataclass(frozen=True)
class Standing:
    """What one host runs: `current` is None where there is no Skiff. `past` are earlier current versions, the last one last.

    `kept` has what each version on disk says of itself, `daemon` and `launcher` the versions that run as such (none, one, or in the
    midst of a change two), `shims` the count of containers' shims by version; "current" stands for a process that does not tell.
    """

    current: Optional[str]
    past: Tuple[str, ...]
    kept: Mapping[str, Mapping[str, Any]]
    daemon: Tuple[str, ...]
    launcher: Tuple[str, ...]
    shims: Mapping[str, int]

    @property
    def previous(self) -> Optional[str]:
        """The version to go back to: the last one that was current before and is still there."""
        there = [name for name in self.past if name in self.kept]
        return there[-1] if there else None

    def runs(self, version: str) -> bool:
        """Whether a version is all that runs here, shims aside."""
        return self.current == version and set(self.daemon) == {version} and set(self.launcher) <= {version}

    def as_json(self) -> Dict[str, Any]:
        """The standing as plain data, as `succession` reads it."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return {**found, "previous": self.previous}


def asked() -> Probe:
    """The question."""
    script = Content.of(Path(versions.__file__).read_bytes())
    argv = ("/bin/sh", "-c", SCRIPT.replace("$2", versions.HOME), "sh", "{script}", versions.HOME, versions.AGENT)
    return Probe(NAME, argv, contents={"script": script})


def told(outcome: HostOutcome) -> Optional[Standing]:
    """A host's answer; None where it gave none. One that cannot be read becomes a fault of the host's."""
    answer = outcome.answers.get(NAME)
    if answer is None:
        return None
    if answer.status:
        outcome.faults.append(Fault("the host does not tell what it runs", answer.stderr.strip()[-1000:]))
        return None
    try:
        return read(json.loads(answer.stdout))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        outcome.faults.append(Fault("what the host says of its versions is not understood", f"{type(error).__name__}: {error}"))
        return None


def read(found: Mapping[str, Any]) -> Standing:
    """The standing in an answer.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it has another form.
    """
    current = found["current"]
    return Standing(
        None if current is None else str(current),
        texts(found["past"]),
        {str(name): {"follows": each["follows"], "shims": each["shims"]} for name, each in found["kept"].items()},
        texts(found["daemon"]),
        texts(found["launcher"]),
        {str(name): int(count) for name, count in found["shims"].items()},
    )


def texts(found: object) -> Tuple[str, ...]:
    """A list of texts.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{found!r} is no list of texts")
    return tuple(found)
