"""One container as the engine knows it: what was asked for, which never changes, and its state, which does. No I/O."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping, Optional

from skiff.engine import names, shims, status

NEVER = "0001-01-01T00:00:00Z"


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class State:
    """What changes while a container lives."""

    status: str = status.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: str = NEVER
    finished_at: str = NEVER

    def become(self, new: str) -> None:
        """Change status, along the table only."""
        if new not in status.NEXT[self.status]:
            raise AssertionError(f"a container cannot go from {self.status} to {new}")
        self.status = new


@dataclass(frozen=True)
class Record:
    """What was asked for, completed from image and daemon; `config` and `host_config` have Docker's shape."""

    id: str
    name: str
    created: str
    image: str
    config: Mapping[str, Any]
    host_config: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """The program and its arguments."""
        return [*(self.config.get("Entrypoint") or ()), *(self.config.get("Cmd") or ())]

    @property
    def short_id(self) -> str:
        """The first twelve digits, as tables show it."""
        return self.id[: names.SHORT_LENGTH]


@dataclass(frozen=True)
class Streams:
    """Which of the three streams a client wants, and whether the end of its input is the container's."""

    stdin: bool
    stdout: bool
    stderr: bool
    once: bool


@dataclass(eq=False)
class Waiting:
    """A client that waits for the start; the future brings its connection to the shim, None if there will be no start."""

    streams: Streams
    joined: asyncio.Future[Optional[shims.Shim]]


@dataclass(eq=False)
class Container:
    """A record, its state, and what in this process waits for it.

    `lock` guards every change of state; whoever holds it may start, stop or remove.
    """

    record: Record
    directory: str
    state: State = field(default_factory=State)
    exits: set[asyncio.Future[State]] = field(default_factory=set)
    removals: set[asyncio.Future[State]] = field(default_factory=set)
    attachers: list[Waiting] = field(default_factory=list)

    @functools.cached_property
    def lock(self) -> asyncio.Lock:
        """Made when first wanted: Python 3.9 binds a lock to the loop that runs where it is made."""
        return asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether its process runs or is paused."""
        return self.state.status in status.ALIVE

    @property
    def log_path(self) -> str:
        """Where its shim writes the json-file log."""
        return f"{self.directory}/{self.record.id}-json.log"

    def settle(self, waiting: set[asyncio.Future[State]]) -> None:
        """Tell those who wait, with a copy: the state may change before they look."""
        for future in tuple(waiting):
            if not future.done():
                future.set_result(State(**asdict(self.state)))
        waiting.clear()
