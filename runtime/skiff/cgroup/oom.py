"""Waits for processes that the kernel kills for want of memory: by an eventfd in version 1, by memory.events in version 2."""

from __future__ import annotations

import os
import select

from skiff.cgroup import files
from skiff.linux import eventfd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class OomWatch(Protocol):
        """Something to poll(2): `fd` for `mask`."""

        fd: int
        mask: int

        def happened(self) -> bool:
            """After poll said so: whether memory ran out; it also says so when the group is removed."""
            ...

        def close(self) -> None:
            """Stop watching."""
            ...


class V1Watch:
    """See OomWatch."""

    mask = select.POLLIN

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.fd = eventfd.eventfd()
        try:
            control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                files.write(directory, "cgroup.event_control", f"{self.fd} {control}")
            finally:
                os.close(control)
        except BaseException:
            os.close(self.fd)
            raise

    def happened(self) -> bool:
        """The kernel signals the removal of the group in the same way."""
        return eventfd.take(self.fd) > 0 and os.path.exists(f"{self._directory}/memory.oom_control")

    def close(self) -> None:
        """The kernel unregisters a closed eventfd."""
        os.close(self.fd)


class V2Watch:
    """See OomWatch."""

    mask = select.POLLPRI

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen = self._kills()
        self.fd = os.open(f"{directory}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
        self._rearm()

    def _kills(self) -> int:
        return files.keyed(self._directory, "memory.events").get("oom_kill", 0)

    def _rearm(self) -> None:
        """Having read is what makes the kernel tell of the next change."""
        try:
            os.pread(self.fd, 4096, 0)
        except OSError:
            return  # the group is gone

    def happened(self) -> bool:
        """The file changes for other reasons too."""
        self._rearm()
        before, self._seen = self._seen, max(self._kills(), self._seen)
        return self._seen > before

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)
