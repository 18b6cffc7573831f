"""Every error that the runtime raises on purpose, below all other layers.

A message is written for the person who reads it on a terminal; where Docker's clients match on dockerd's wording, it is
that wording.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class SkiffError(Exception):
    """Something that the runtime refuses or could not do; the message names cause and cure."""


class InvalidInput(SkiffError):
    """A request, an option, a file or an archive is malformed (HTTP 400)."""


class NotFound(SkiffError):
    """What was named does not exist (HTTP 404)."""


class Conflict(SkiffError):
    """The state of the thing forbids the operation (HTTP 409)."""


class Unsupported(SkiffError):
    """This host's kernel or libraries, or this version, cannot do it (HTTP 501)."""


class ConfigError(SkiffError):
    """daemon.json or a flag is wrong: file and key are in the message."""


class SyscallError(SkiffError):
    """A system call failed.

    `syscall` is its C name, `errno` the number, `detail` the path or argument that it was about.
    """

    def __init__(self, syscall: str, errno: int, strerror: str, detail: str = "") -> None:
        self.syscall = syscall
        self.errno = errno
        self.detail = detail
        super().__init__(f"{syscall}{f' {detail}' if detail else ''}: {strerror}")


class suppress:  # noqa: N801  # contextlib's name, for it is the same
    """contextlib.suppress, without what contextlib loads: a tenth of the start of a command."""

    __slots__ = ("_errors",)

    def __init__(self, *errors: type[BaseException]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> bool:
        return kind is not None and issubclass(kind, self._errors)
