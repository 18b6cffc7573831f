from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

import pytest

from fleet.bootstrap import Bootstrap, prepare, program
from fleet.content import CHUNK, Content
from fleet.errors import HostError, UnreachableError
from fleet.exchange.frames import Decoder
from fleet.exchange.opening import Frames, Opening, ProgramNeeded, PythonMissing, Started, Step
from fleet.exchange.session import Session
from fleet.transport import ERR, OUT, Received
from fleet.transport.fake import FakeChannel, Peer
from tests.unit.fleet.wire import Agent, done, frame, hello, plan, result, said

MARKER, PROMPT = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += 0.5


def session(peer: Peer, sudo: bool = False, password: Optional[str] = None, **options: Any) -> Session:
    clock = options.pop("clock", None) or Clock()
    channel = options.pop("channel", None) or FakeChannel(peer, options.pop("status", 0), clock.tick)
    limits = {"deadline": 100.0, "silence": 50.0, "stopping": lambda: False, **options}
    return Session(channel, Bootstrap("command", MARKER, PROMPT if sudo else None), password, clock=clock, **limits)


def refuse(_missing: PythonMissing) -> str:
    raise AssertionError


def desired(**fields: Any) -> Dict[str, Any]:
    return {"mode": "apply", "resources": [], "probes": [], **fields}


OPENINGS = [
    (b"Welcome!\nfortune: 42\n" + MARKER.encode() + b"\n" + frame({"type": "t"}), [Started(), Frames(frame({"type": "t"}))]),
    (MARKER.encode() + b"\nneed\n", [Started(), ProgramNeeded()]),
    (
        MARKER.encode() + b"\nnopython centos 7 rhel fedora\nneed\n",
        [Started(), PythonMissing("centos", "7", ("rhel", "fedora")), ProgramNeeded()],
    ),
    (b"no newline " + MARKER.encode() + b"\n", [Started()]),
]


@pytest.mark.parametrize(("data", "steps"), OPENINGS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_opening_is_understood_however_it_is_cut(data: bytes, steps: List[Step], size: int) -> None:
    opening = Opening(MARKER, None, False)
    decoder, found, frames = Decoder(), [], []
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        if opening.over:
            frames += decoder.feed(piece)
            continue
        for step in opening.feed_out(piece):
            found.append(step)
            frames += decoder.feed(step.data) if isinstance(step, Frames) else []
    assert [type(step) for step in found] == [type(step) for step in steps]
    assert [step for step in found if isinstance(step, PythonMissing)] == [s for s in steps if isinstance(s, PythonMissing)]
    assert frames == [{"type": "t"} for step in steps if isinstance(step, Frames)]


def test_a_line_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(HostError, match="something that is not the agent"):
        Opening(MARKER, None, False).feed_out(MARKER.encode() + b"\nwhat is this\n")


def test_hello_comes_after_banners() -> None:
    greeting = session(Agent(MARKER, lambda _: [], opening=b"last login: today\n")).hello(refuse)
    assert greeting == hello()


def test_a_host_without_the_agent_is_sent_it() -> None:
    sent: List[bytes] = []

    def peer(data: bytes) -> Sequence[Received]:
        sent.append(data)
        if not data:
            return [Received(OUT, MARKER.encode() + b"\nneed\n")]
        return [Received(OUT, frame(hello()))]

    assert session(peer).hello(refuse)["type"] == "hello"
    assert sent[1:] == [program().data]


def test_a_host_without_python_is_told_the_line_that_installs_it() -> None:
    answers = {b"": MARKER.encode() + b"\nnopython centos 7\n", b"yum install centos-7\n": frame(hello())}
    peer = session(lambda data: [Received(OUT, answers[data])])
    assert peer.hello(lambda missing: f"yum install {missing.os_id}-{missing.os_version}")["type"] == "hello"


def test_sudo_gets_the_password_at_once_and_the_marker_once_it_was_seen() -> None:
    sent: List[bytes] = []

    def peer(data: bytes) -> Sequence[Received]:
        sent.append(data)
        if data == b"secret\n":
            return [said(PROMPT), Received(OUT, MARKER.encode() + b"\n")]
        return [Received(OUT, frame(hello()))] if data else []

    assert session(peer, sudo=True, password="secret").hello(refuse)["type"] == "hello"
    assert sent == [b"", b"secret\n", MARKER.encode() + b"\n"]


def test_a_second_prompt_means_a_wrong_password_and_input_ends_at_once() -> None:
    channel = FakeChannel(lambda data: [said(PROMPT), said("Sorry, try again.\n"), said(PROMPT)] if data else [])
    with pytest.raises(HostError, match="sudo refused the password\nSorry, try again") as caught:
        session(channel.send, sudo=True, password="wrong", channel=channel).hello(refuse)  # type: ignore[arg-type] # unused
    assert channel.input_closed
    assert channel.sent == [b"wrong\n"]
    assert "wrong" not in str(caught.value)
    assert PROMPT not in str(caught.value)


def test_a_prompt_without_a_password_to_give_is_told_with_the_cure() -> None:
    with pytest.raises(HostError, match=r"sudo asks for a password and none was given\n.*SKIFF_BECOME_PASSWORD"):
        session(lambda data: [said(PROMPT)] if not data else [], sudo=True).hello(refuse)


@pytest.mark.parametrize(
    ("sudo", "out", "message"),
    [
        (False, b"This account is currently not available.\n", "the login shell ran nothing (exit status 1)\nThis account is"),
        (True, b"", "sudo let nothing be run (exit status 1)"),
        (False, MARKER.encode() + b"\n", "the agent could not be started (exit status 1)"),
        (False, MARKER.encode() + b"\n" + frame(hello())[:20], "the agent ended before it was done (exit status 1)"),
    ],
)
def test_an_early_end_is_told_with_what_was_said(sudo: bool, out: bytes, message: str) -> None:
    channel = FakeChannel(lambda _: [Received(OUT, out), said("user is not in the sudoers file\n"), Received("end", b"")], 1)
    with pytest.raises(HostError) as caught:
        session(lambda _: [], sudo, channel=channel).hello(refuse)
    assert message in str(caught.value)
    assert "user is not in the sudoers file" in str(caught.value)


def test_another_protocol_and_a_fatal_word_are_refused() -> None:
    with pytest.raises(HostError, match="another protocol"):
        session(Agent(MARKER, lambda _: [], greeting={**hello(), "protocol": 2})).hello(refuse)
    with pytest.raises(HostError, match="no room\nfree some"):
        session(
            Agent(
                MARKER,
                lambda _: [],
                greeting={"type": "fatal", "error": {"brief": "no room", "details": "", "resolution": "free some"}},
            )
        ).hello(refuse)


def test_a_run_yields_messages_up_to_done_and_sends_what_is_needed() -> None:
    content, other = Content.of(b"x" * (CHUNK + 5)), Content.of(b"small")

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if message["type"] == "desired":
            return [plan("a"), {"type": "need", "sha256": [content.sha256, other.sha256]}]
        return [result("a", "changed"), done(changed=1)] if message.get("sha256") == other.sha256 else []

    agent = Agent(MARKER, script)
    talk = session(agent)
    talk.hello(refuse)
    kinds = [message["type"] for message in talk.run(desired(), {each.sha256: each for each in (content, other)})]
    assert kinds == ["plan", "result", "done"]
    assert agent.contents == {content.sha256: content.source, other.sha256: b"small"}


def test_a_content_that_was_not_named_is_refused() -> None:
    talk = session(Agent(MARKER, lambda _: [{"type": "need", "sha256": ["00" * 32]}]))
    talk.hello(refuse)
    with pytest.raises(HostError, match="asked for a content that was not named"):
        list(talk.run(desired(), {}))


def test_a_stop_is_passed_on_once() -> None:
    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [done(interrupted=True)] if message["type"] == "stop" else []

    agent = Agent(MARKER, script)
    talk = session(agent, stopping=lambda: bool(agent.messages))
    talk.hello(refuse)
    (last,) = talk.run(desired(), {})
    assert last["interrupted"]
    assert [message["type"] for message in agent.messages] == ["desired", "stop"]


def test_silence_and_the_whole_time_have_limits() -> None:
    talk = session(Agent(MARKER, lambda _: []), silence=3.0)
    talk.hello(refuse)
    with pytest.raises(HostError, match="nothing was heard from the host for 3 s"):
        list(talk.run(desired(), {}))
    talk = session(Agent(MARKER, lambda _: []), silence=3.0)
    talk.hello(refuse)
    # While it looks at its host an agent says nothing.
    with pytest.raises(HostError, match="nothing was heard from the host for 13 s"):
        list(talk.run(desired(probes=[{"timeout": 8.0}, {"timeout": 2.0}]), {}))
    talk = session(Agent(MARKER, lambda _: []), deadline=5.0)
    talk.hello(refuse)
    with pytest.raises(HostError, match=r"the host's time has run out\n.*--timeout"):
        list(talk.run(desired(), {}))


def test_stderr_is_drained_and_kept_for_the_report_of_a_failure() -> None:
    channel = FakeChannel(lambda data: [Received(OUT, MARKER.encode() + b"\n" + frame(hello()))] if not data else [])
    talk = session(lambda _: [], channel=channel)
    talk.hello(refuse)
    channel._waiting.extend([Received(ERR, b"Traceback: boom\n"), Received("end", b"")])
    with pytest.raises(HostError, match="the agent ended before it was done") as caught:
        list(talk.run(desired(), {}))
    assert "Traceback: boom" in caught.value.details


def test_a_login_that_runs_nothing_is_given_up_long_before_a_silent_agent() -> None:
    clock = Clock()
    banner = FakeChannel(lambda data: [Received(OUT, b"Welcome!\n")] if not data else [], idle=clock.tick)
    with pytest.raises(HostError, match=r"nothing ran on the host within 120 s\nWelcome!\n.*waits for something"):
        session(lambda _: [], channel=banner, deadline=3600.0, silence=900.0, clock=clock).hello(refuse)
    assert clock.now < 130


def test_an_interrupt_ends_an_opening_that_hangs_but_no_installation() -> None:
    hanging = FakeChannel(lambda _: [])
    with pytest.raises(HostError, match="interrupted before anything was done"):
        session(lambda _: [], channel=hanging, stopping=lambda: True).hello(refuse)
    assert hanging.input_closed

    told: List[bytes] = []

    def installing(data: bytes) -> Sequence[Received]:
        told.append(data)
        return [Received(OUT, MARKER.encode() + b"\nnopython centos 9 rhel fedora\n")] if not data else []

    def tick() -> None:
        clock.tick()
        if clock.now > 5:
            channel._waiting.append(Received(OUT, frame(hello())))

    clock = Clock()
    channel = FakeChannel(installing, idle=tick)
    talk = session(lambda _: [], channel=channel, stopping=lambda: len(told) > 1, clock=clock)
    assert talk.hello(lambda _: "install it") == hello()


def test_a_command_line_that_the_login_shell_traces_is_no_prompt_of_sudos() -> None:
    started = prepare(become=True)
    assert started.prompt is not None
    traced = said(f"+ {started.command}\n")
    opening = Opening(started.marker, started.prompt, has_password=False)
    opening.feed_err(traced.data)
    opening = Opening(started.marker, started.prompt, has_password=True)
    for piece in (traced.data, *(bytes([byte]) for byte in started.prompt.encode())):
        opening.feed_err(piece)
    with pytest.raises(HostError, match="sudo refused the password"):
        opening.feed_err(b"Sorry, try again.\n" + started.prompt.encode())


def test_what_sudo_shows_is_the_prompt() -> None:
    started = prepare(become=True)
    assert started.prompt is not None
    assert f" -p {started.prompt.replace('%', '%%')} " in started.command


def test_a_python_that_cannot_be_installed_is_tried_once_and_told_with_what_was_said() -> None:
    def peer(data: bytes) -> Sequence[Received]:
        missing = Received(OUT, b"nopython centos 9 rhel\n")
        return [said("No match for argument: python3\n"), missing] if data else [Received(OUT, MARKER.encode() + b"\n"), missing]

    with pytest.raises(HostError, match="Python 3 could not be installed\nNo match for argument") as caught:
        session(peer).hello(lambda _: "install it")
    assert "install python3 there" in caught.value.resolution


class Flood(FakeChannel):
    """A host that takes nothing any more and talks without end."""

    def __init__(self, clock: Clock, data: bytes, takes: int = 0) -> None:
        super().__init__(Agent(MARKER, lambda _: []))
        self._clock, self._data, self._takes = clock, data, takes

    def send(self, data: bytes, patience: float) -> None:
        if not self._takes:
            raise UnreachableError("it took nothing")
        self._takes -= 1
        super().send(data, patience)

    def receive(self, timeout: float) -> Optional[Received]:
        self._clock.now += 0.01
        return super().receive(timeout) or Received(ERR, self._data)


def test_a_host_that_takes_no_more_and_talks_without_end_is_given_up() -> None:
    clock = Clock()
    talking = session(lambda _: [], channel=Flood(clock, b"x"), clock=clock)
    talking.hello(refuse)
    with pytest.raises(UnreachableError, match="took nothing"):
        list(talking.run(desired(), {}))
    assert clock.now < 10


def test_what_a_host_says_is_bounded() -> None:
    clock = Clock()
    talking = session(lambda _: [], channel=Flood(clock, bytes(1 << 20), takes=1), clock=clock, silence=1e9, deadline=1e9)
    talking.hello(refuse)
    with pytest.raises(HostError, match="more than 256 MiB"):
        list(talking.run(desired(), {}))
    assert clock.now < 3
