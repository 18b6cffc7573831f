"""A poll loop: descriptors with what to call when they are ready, and one deadline."""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # what signal wraps; the wrapper would load enum

GONE = select.POLLHUP | select.POLLERR  # told whether asked for or not
READ = select.POLLIN | GONE
WRITE = select.POLLOUT


class Loop:
    """Runs until `stop`."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._deadline: float | None = None
        self._at_deadline: Callable[[], None] | None = None
        self._running = True

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call back with what happened; again for a descriptor, it replaces."""
        self._callbacks[fd] = callback
        self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        """No more calls for it; before it is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def on_child(self, callback: Callable[[], None]) -> None:
        """Call back when children may have ended; takes SIGCHLD and the process's wakeup descriptor (signal.set_wakeup_fd)."""
        woken, wakes = os.pipe()
        for fd in (woken, wakes):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

        def ended(_: int) -> None:
            os.read(woken, 4096)
            callback()

        self.watch(woken, READ, ended)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, later; there is one such call at a time."""
        self._deadline, self._at_deadline = time.monotonic() + seconds, callback

    def stop(self) -> None:
        """Return from `run` after the present round."""
        self._running = False

    def run(self) -> None:
        """Wait and call, until stopped."""
        while self._running:
            for fd, events in self._poll.poll(self._patience()):
                callback = self._callbacks.get(fd)
                if callback is not None:
                    callback(events)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._deadline = None
                if self._at_deadline is not None:
                    self._at_deadline()

    def _patience(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic()) * 1000 + 1
