"""One value for one file of a control group, and the order in which the kernel takes several."""

from __future__ import annotations

import errno

from skiff.cgroup import files
from skiff.errors import SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Probe = Callable[[str, str], bool]


class Setting:
    """`key` is what config.json calls it below linux.resources."""

    __slots__ = ("controller", "key", "name", "value")

    def __init__(self, controller: str, name: str, value: str | int, key: str) -> None:
        self.controller, self.name, self.value, self.key = controller, name, str(value), key

    def __repr__(self) -> str:
        return f"{self.controller}/{self.name}={self.value}"


def write(settings: Iterable[Setting], directory: Callable[[Setting], str]) -> None:
    """Write all of them.

    The kernel refuses a value that does not fit to another one's old value: memory above memory with swap, a burst
    above the quota. So what it refuses is written again after the others, until nothing moves any more.
    """
    waiting = list(settings)
    while waiting:
        errors = [(setting, error) for setting in waiting for error in [_try(setting, directory(setting))] if error]
        if len(errors) == len(waiting):
            raise errors[0][1]
        waiting = [setting for setting, _ in errors]


def _try(setting: Setting, directory: str) -> SyscallError | None:
    try:
        files.write(directory, setting.name, setting.value)
    except SyscallError as error:
        if error.errno == errno.EINVAL:
            return error
        raise
    return None
