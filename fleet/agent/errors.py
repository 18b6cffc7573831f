"""What went wrong on the host, told as a brief sentence, details and a way out."""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


LONGEST = 8 << 10  # characters of details that are told, the last ones: a plan with many errors is still one message


class AgentError(Exception):
    """A failure with its cause and its cure."""

    def __init__(self, brief: str, details: str = "", resolution: str = "") -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution

    def to_wire(self) -> "Dict[str, str]":
        """The error as the exchange carries it. No line is cut: half a secret would be found by nobody who looks for it."""
        details = self.details[-LONGEST:]
        if len(details) < len(self.details):
            details = details.partition("\n")[2] or details
        return {"brief": self.brief, "details": details, "resolution": self.resolution}


class Left(AgentError):
    """What is not put back, and why. `over`: nothing more can be done about it, and it is not kept in mind."""

    def __init__(self, brief: str, over: bool = False) -> None:
        super().__init__(brief)
        self.over = over


class ControlGone(Exception):
    """The control side closed its end, or the connection died."""


def from_os(error: OSError, path: str) -> AgentError:
    """An operating system's error on `path`, with what usually cures it."""
    name = error.filename if isinstance(error.filename, str) else path
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AgentError(
            "no space left to write {}".format(path), _room(path), "free some space on that file system and run again"
        )
    if error.errno == errno.EROFS:
        return AgentError("{} is on a read-only file system".format(path), reason, "remount it read-write and run again")
    if error.errno == errno.EBUSY:
        return AgentError(
            "{} is in use, or something is mounted on it".format(path), reason, "see /proc/mounts, unmount it and run again"
        )
    return AgentError("{}: {}".format(name, reason), "while working on {}".format(path) if name != path else "")


def _room(path: str) -> str:
    parent = os.path.dirname(path) or "/"
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    found = os.statvfs(parent)
    return "{} has {} bytes and {} inodes free".format(parent, found.f_bavail * found.f_frsize, found.f_favail)
