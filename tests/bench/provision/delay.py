"""A long way between this machine and a lab's hosts: two TAP devices, and a process between them that holds each frame.

    python -m tests.bench.provision.delay MACHINE_TAP SWITCH_TAP SECONDS

It prints `ready` once both devices are there (the caller gives them their places), and what it carried when it is terminated.
This kernel has no netem, which would do the same. The time is held in each direction: a round trip takes twice of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from collections import deque
from typing import Deque, Tuple

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
LONGEST = 1 << 16
BATCH = 256  # frames taken at once, so that neither direction starves


class Line:
    """One direction. The time held is the same for every frame, so that they leave in the order in which they came."""

    def __init__(self, source: int, sink: int, hold: float) -> None:
        self._source, self._sink, self._hold = source, sink, hold
        self._held: Deque[Tuple[float, bytes]] = deque()
        self.frames = self.bytes = 0
        self.latest = 0.0

    @property
    def due(self) -> float:
        """When the next frame is to leave."""
        return self._held[0][0] if self._held else float("inf")

    def take(self) -> None:
        """What has come."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(BATCH):
                frame = os.read(self._source, LONGEST)
                self._held.append((time.monotonic() + self._hold, frame))

    def pass_on(self, now: float) -> None:
        """What is due."""
        while self._held and self._held[0][0] <= now:
            due, frame = self._held.popleft()
            os.write(self._sink, frame)
            self.frames += 1
            self.bytes += len(frame)
            self.latest = max(self.latest, now - due)


def tap(name: str) -> int:
    """The descriptor of a new TAP device, which goes with it."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def carry(there: Line, back: Line, ready: Tuple[int, int]) -> None:
    """Carries until it is terminated."""
    lines = dict(zip(ready, (there, back)))
    while True:
        pause = max(0.0, min(there.due, back.due) - time.monotonic())
        for descriptor in select.select(ready, [], [], min(pause, 1.0))[0]:
            lines[descriptor].take()
        now = time.monotonic()
        there.pass_on(now)
        back.pass_on(now)


def main() -> None:
    """The process."""
    near, far, hold = tap(sys.argv[1]), tap(sys.argv[2]), float(sys.argv[3])
    there, back = Line(near, far, hold), Line(far, near, hold)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.write(1, b"ready\n")
    try:
        carry(there, back, (near, far))
    finally:
        used = resource.getrusage(resource.RUSAGE_SELF)
        said = {
            "frames": there.frames + back.frames,
            "bytes": there.bytes + back.bytes,
            "cpu": round(used.ru_utime + used.ru_stime, 3),
            "latest": round(max(there.latest, back.latest), 4),
        }
        os.write(1, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    main()
