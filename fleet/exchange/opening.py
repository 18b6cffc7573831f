"""What comes before the first frame: banners to skip, sudo's prompts, the marker, and the lines of a host that lacks something.

A state machine over bytes: it does no input or output, and answers each piece with what the driver should do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

from fleet.errors import HostError

LONGEST_LINE = 4096
KEPT = 1 << 16
SPOKEN = "log in by hand and see what the login shell, or sudo, says after it was asked to run something"


@dataclass(frozen=True)
class Started:
    """The marker came: what follows is ours."""


@dataclass(frozen=True)
class ProgramNeeded:
    """The host has not this agent in its cache."""


@dataclass(frozen=True)
class PythonMissing:
    """The host has no Python that could run the agent."""

    os_id: str
    os_version: str
    os_like: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Frames:
    """The first bytes of the frames; the opening is over."""

    data: bytes


Step = Union[Started, ProgramNeeded, PythonMissing, Frames]


class Opening:
    """The opening of one exchange. `prompt` is None without sudo."""

    def __init__(self, marker: str, prompt: Optional[str], has_password: bool) -> None:
        self._marker = marker.encode()
        self._prompt = prompt.encode() if prompt else None
        self._has_password = has_password
        self._out = b""
        self._err = b""
        self._prompts = 0
        self.started = False
        self.over = False

    @property
    def errors(self) -> str:
        """What the host said on stderr, without our prompts; the last of it, if it is long."""
        text = self._err.replace(self._prompt, b"") if self._prompt else self._err
        return text.decode("utf-8", "replace").strip()

    @property
    def noise(self) -> str:
        """What the login shell printed before the marker."""
        return "" if self.started else self._out.decode("utf-8", "replace").strip()

    def feed_err(self, data: bytes) -> None:
        """Bytes of stderr.

        Raises:
            HostError: sudo refuses the password, or wants one that we have not.
        """
        self._err = (self._err + data)[-KEPT:]
        if self._prompt is None or self.started:
            return
        prompts = self._err.count(self._prompt)
        if prompts and not self._has_password:
            raise HostError(
                "sudo asks for a password and none was given",
                self.errors,
                "give it with --ask-become-pass or SKIFF_BECOME_PASSWORD",
            )
        if prompts > 1:
            raise HostError(
                "sudo refused the password", self.errors, "one attempt was made; give the right one with --ask-become-pass"
            )

    def feed_out(self, data: bytes) -> List[Step]:
        """Bytes of stdout, and what is to be done about them."""
        self._out += data
        steps: List[Step] = []
        while True:
            step, self._out = self._next()
            if step is None:
                return steps
            steps.append(step)
            if isinstance(step, Frames):
                self.over = True
                return steps

    def _next(self) -> Tuple[Optional[Step], bytes]:
        if not self.started:
            _, found, after = self._out.partition(self._marker + b"\n")
            if found:
                self.started = True
                return Started(), after
            # The marker may lie across two pieces; what was printed before it may be the reason why it never comes.
            return None, self._out[-KEPT:]
        if not self._out:
            return None, b""
        if self._out[:1] == b"J":
            return Frames(self._out), b""
        line, newline, after = self._out.partition(b"\n")
        if not newline:
            if len(line) > LONGEST_LINE:
                raise HostError("the host answered with something that is not the agent", repr(line[:200]), SPOKEN)
            return None, self._out
        return self._line(line.decode("utf-8", "replace")), after

    def _line(self, line: str) -> Step:
        words = line.split()
        if words == ["need"]:
            return ProgramNeeded()
        if len(words) >= 3 and words[0] == "nopython":
            return PythonMissing(words[1], words[2], (*words[3:],))
        raise HostError("the host answered with something that is not the agent", line[:200], SPOKEN)
