"""Drives one exchange over a channel: the opening, hello, one desired state, contents by digest, messages as they come.

All sending and receiving is done by the one thread that iterates; `stopping` is looked at twice a second.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

from fleet.bootstrap import Bootstrap, program
from fleet.content import Content
from fleet.errors import FleetError, HostError, UnreachableError
from fleet.exchange.frames import Decoder, encode, encode_content
from fleet.exchange.messages import understood
from fleet.exchange.opening import Frames, Opening, ProgramNeeded, PythonMissing, Step
from fleet.transport import END, ERR, Channel, Received

PROTOCOL = 1
LOOK = 0.5
# Seconds that a host may take no byte of what is sent to it.
STALLED = 120.0
# Seconds for the login shell and sudo to run the first command: nothing slow is done before it.
START = 120.0
# Seconds in which a host that takes no more may still say why.
LAST_WORD = 5.0
# Bytes that a host may say in all: plans, results, probes and copies of the largest hosts are a tenth of it.
MOST = 256 << 20

# Bytes of a content from which on it is told how far it has been sent, and how often.
LARGE = 8 << 20
STEPS = 20

Message = Dict[str, Any]
Install = Callable[[PythonMissing], str]
Sending = Callable[[int, int], None]


class Session:
    """One host's exchange. `deadline` is a time of `clock`; `silence` the seconds without a byte after which a host is given up.

    `sending` is told how many bytes of a large content have been sent, and of how many.
    """

    def __init__(
        self,
        channel: Channel,
        bootstrap: Bootstrap,
        password: Optional[str],
        deadline: float,
        silence: float,
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sending: Sending = lambda *_: None,
    ) -> None:
        self._channel = channel
        self._bootstrap = bootstrap
        self._opening = Opening(bootstrap.marker, bootstrap.prompt, password is not None)
        self._decoder = Decoder()
        self._deadline = deadline
        self._silence = silence
        self._stopping = stopping
        self._clock = clock
        self._sending = sending
        self._begun = self._heard = clock()
        self._said_bytes = 0
        self._ready: List[Message] = []
        self._told_to_stop = False
        self._desired = False
        self._installing = False
        if bootstrap.prompt and password is not None:
            self._send(password.encode() + b"\n")

    @property
    def errors(self) -> str:
        """What the host said on stderr."""
        return self._opening.errors

    def hello(self, install: Install) -> Message:
        """The agent's first message. `install` gives the line of shell for a host without Python, or raises.

        Raises:
            HostError: the agent cannot be started, or speaks another protocol.
        """
        try:
            message = self._next(install)
        except HostError:
            self._channel.close_input()
            raise
        if message["type"] == "fatal":
            raise fatal(message)
        if message["type"] != "hello" or message.get("protocol") != PROTOCOL:
            raise HostError(
                "the agent speaks another protocol",
                str(message)[:200],
                "run again from one checkout: another version of Skiff sent it",
            )
        return message

    def run(self, desired: Mapping[str, Any], contents: Mapping[str, Content]) -> Iterator[Message]:
        """Sends the desired state and yields the agent's messages up to `done`; contents that it needs are sent in between.

        While it looks at its host the agent says nothing: what its probes may take comes on top of the silence that is borne.

        Raises:
            HostError: the exchange cannot go on.
        """
        self._send(encode({"type": "desired", **desired}))
        self._desired = True
        self._silence += sum(probe["timeout"] for probe in desired.get("probes", ()))
        while True:
            message = self._next(None)
            if message["type"] == "need":
                self._send_contents(message["sha256"], contents)
                continue
            if message["type"] == "fatal":
                raise fatal(message)
            yield message
            if message["type"] == "done":
                return

    def quit(self) -> None:
        """Says that nothing is wanted of the host."""
        self._send(encode({"type": "quit"}))

    def _send_contents(self, digests: List[str], contents: Mapping[str, Content]) -> None:
        for digest in digests:
            if digest not in contents:
                raise HostError(f"the agent asked for a content that was not named: {digest}")
            self._send_content(contents[digest])
            if self._told_to_stop:
                return

    def _send_content(self, content: Content) -> None:
        sent = told = 0
        for frame in encode_content(content):
            self._look()
            if self._told_to_stop:
                return
            self._send(frame)
            self._heard = self._clock()  # a host that takes bytes is there: on a slow line it says nothing for long
            sent += len(frame)
            if content.size >= LARGE and sent * STEPS >= content.size * (told + 1):
                told = min(STEPS, sent * STEPS // content.size)
                self._sending(min(sent, content.size), content.size)

    def _next(self, install: Optional[Install]) -> Message:
        while not self._ready:
            self._look()
            received = self._channel.receive(LOOK)
            if received is not None:
                self._heard = self._clock()
                self._take(received, install)
        return self._ready.pop(0)

    def _take(self, received: Received, install: Optional[Install]) -> None:
        if received.stream == END:
            raise self._ended()
        self._said_bytes += len(received.data)
        if self._said_bytes > MOST:
            raise HostError(
                f"the host said more than {MOST >> 20} MiB", self.errors[-500:], "look at the host: no agent says so much"
            )
        if received.stream == ERR:
            self._opening.feed_err(received.data)
        elif self._opening.over:
            self._hear(received.data)
        else:
            for step in self._opening.feed_out(received.data):
                self._answer(step, install)

    def _hear(self, data: bytes) -> None:
        self._ready += map(understood, self._decoder.feed(data))

    def _send(self, data: bytes) -> None:
        """Sends all of it within the host's time; of a host that takes no more, what it said last is the reason."""
        try:
            self._channel.send(data, max(LOOK, min(STALLED, self._deadline - self._clock())))
        except UnreachableError:
            end = self._clock() + LAST_WORD
            with contextlib.suppress(FleetError):
                while self._clock() < end and (received := self._channel.receive(LOOK)) is not None:
                    self._take(received, None)
            if not self._ready:
                self._look_at_time()
                raise

    def _answer(self, step: Step, install: Optional[Install]) -> None:
        if isinstance(step, Frames):
            self._hear(step.data)
        elif isinstance(step, ProgramNeeded):
            self._send(program().data)
        elif isinstance(step, PythonMissing):
            assert install is not None
            if self._installing:
                raise HostError("Python 3 could not be installed", self.errors, "install python3 there by hand, and run again")
            self._send(install(step).encode() + b"\n")
            self._installing = True
        elif self._bootstrap.prompt:
            self._send(self._bootstrap.marker.encode() + b"\n")

    def _look(self) -> None:
        """Passes a stop on, once, and gives a host up whose time has run out."""
        if not self._told_to_stop and self._stopping():
            self._stop()
        self._look_at_time()

    def _look_at_time(self) -> None:
        now = self._clock()
        if not self._opening.started and now - self._begun > START:
            raise HostError(
                f"nothing ran on the host within {START:g} s",
                self._said(),
                "the login shell or sudo waits for something: log in by hand and see",
            )
        if now > self._deadline:
            raise HostError("the host's time has run out", self.errors, "give it more with --timeout SECONDS")
        if now - self._heard > self._silence:
            raise HostError(f"nothing was heard from the host for {self._silence:g} s", self.errors)

    def _stop(self) -> None:
        if self._desired:
            self._told_to_stop = True
            self._send(encode({"type": "stop"}))
        elif not self._installing:
            raise HostError("interrupted before anything was done")

    def _said(self) -> str:
        return "\n".join(part for part in (self._opening.noise, self.errors) if part)

    def _ended(self) -> HostError:
        status = self._channel.status()
        ended = "" if status is None else f" (exit status {status})"
        said = self._said()
        if self._opening.over:
            return HostError(f"the agent ended before it was done{ended}", said, "run again: the next run continues from here")
        if self._opening.started:
            return HostError(f"the agent could not be started{ended}", said, "its Python may be broken: `python3 -V` there tells")
        how = "sudo let nothing be run" if self._bootstrap.prompt else "the login shell ran nothing"
        cure = "the login user needs a shell, and has to be root or allowed to run /bin/sh by sudo"
        return HostError(f"{how}{ended}", said, cure)


def fatal(message: Mapping[str, Any]) -> HostError:
    """The error in an agent's last word."""
    return HostError(**message["error"])
