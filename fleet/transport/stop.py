"""The word that a run is to end early, and the connections that are cut on it because nothing is done over them yet."""

from __future__ import annotations

import contextlib
import threading
from typing import Callable, Iterator, List


class Stop(threading.Event):
    """Set in a signal's handler; `cut` is called right after, outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._cuts: List[Callable[[], None]] = []

    @contextlib.contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """While this lasts, a stop calls `cut`, which must not block or raise."""
        with self._lock:
            self._cuts.append(cut)
        try:
            if self.is_set():
                cut()
            yield
        finally:
            with self._lock:
                self._cuts.remove(cut)

    def cut(self) -> None:
        """Cuts what may be cut."""
        with self._lock:
            cuts = list(self._cuts)
        for cut in cuts:
            cut()
