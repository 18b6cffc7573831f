"""What a shim does with the pipes that it shares with a hostile container."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from skiff.shim.loop import READ
from skiff.shim.stdio import Output, Stdio


class Told:
    """A loop that tells of output when asked to, there or not."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[[int], None]] = {}

    def watch(self, fd: int, _events: int, callback: Callable[[int], None]) -> None:
        self.callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        self.callbacks.pop(fd, None)


@pytest.fixture
def _alarm() -> Any:
    def late(*_: object) -> None:
        raise TimeoutError("the shim waits for output that is not there")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(2)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_alarm")
def test_output_that_the_container_took_back_is_not_waited_for() -> None:
    stdio, loop, said = Stdio(), Told(), []
    as_loop: Any = loop
    output = Output(as_loop, 1, stdio.stdout, lambda _, data: said.append(data), lambda _: None)
    loop.callbacks[stdio.stdout](READ)
    os.write(stdio.theirs[1], b"kept")
    loop.callbacks[stdio.stdout](READ)
    stdio.close_theirs()
    loop.callbacks[stdio.stdout](READ)
    os.close(stdio.stderr)
    assert (said, output.open) == ([b"kept"], False)


@pytest.mark.usefixtures("_alarm")
def test_a_writer_that_goes_on_does_not_hold_up_the_end() -> None:
    stdio, loop = Stdio(), Told()
    as_loop: Any = loop

    def goes_on(_number: int, _data: bytes) -> None:
        os.write(stdio.theirs[1], b"more")

    output = Output(as_loop, 1, stdio.stdout, goes_on, lambda _: None)
    os.write(stdio.theirs[1], b"first")
    output.drain()
    stdio.close_theirs()
    os.close(stdio.stderr)
    assert not output.open
