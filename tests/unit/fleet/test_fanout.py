from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, List, Mapping, Sequence

import pytest

from fleet.errors import UnreachableError
from fleet.events import Event, HostOutcome
from fleet.inventory.model import Host
from fleet.run.fanout import Fanout, exit_status
from fleet.run.places import Limits
from fleet.transport import Transport
from fleet.transport.fake import FakeTransport
from tests.unit.fleet.wire import agent, answering, done, job, plan, result


class Heard:
    """A listener that keeps what it hears, and may act on it."""

    def __init__(self, act: Callable[[Event], None] = lambda _: None) -> None:
        self.events: List[Event] = []
        self.interrupted = False
        self._act = act

    def begin(self, run: str, hosts: List[str]) -> None:
        self.hosts = hosts

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._act(event)

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        self.interrupted = interrupted


def hosts(*names: str) -> List[Host]:
    return [Host(name, "10.0.0.1") for name in names]


def test_a_slow_host_holds_no_other() -> None:
    others_done = threading.Event()

    def connect(host: Host, _stopping: threading.Event) -> Transport:
        def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
            if host.name == "slow":
                assert others_done.wait(20)
            return [plan(), done()]

        return agent(script)

    finished: List[str] = []

    def act(event: Event) -> None:
        if event.kind == "finished":
            finished.append(event.host)
            if len(finished) == 3:
                others_done.set()

    with ThreadPoolExecutor(4) as executor:
        outcomes = Fanout(job(), connect, [Heard(act)]).run(hosts("slow", "a", "b", "c"), executor)
    assert [outcome.host for outcome in outcomes] == ["slow", "a", "b", "c"]
    assert finished[-1] == "slow"


def test_the_first_interrupt_stops_every_host_orderly() -> None:
    stopped: List[str] = []

    def connect(host: Host, _stopping: threading.Event) -> Transport:
        def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
            if message["type"] == "desired":
                return [plan("a", "b"), {"type": "begin", "id": "a", "role": "r"}]
            stopped.append(host.name)
            return [result("a", "changed"), result("b", "skipped"), done(changed=1, skipped=1, interrupted=True)]

        return agent(script)

    def act(event: Event) -> None:
        if event.kind == "begin" and not stopped:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    listener = Heard(act)
    with ThreadPoolExecutor(1) as executor:
        outcomes = Fanout(job(), connect, [listener]).run(hosts("first", "never"), executor)
    assert stopped == ["first"]
    assert [outcome.state for outcome in outcomes] == ["interrupted", "interrupted"]
    assert outcomes[0].counts["changed"] == 1
    assert outcomes[1].plan is None
    assert listener.interrupted
    assert exit_status(outcomes, True) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_fault_of_our_own_is_a_failed_host_not_a_broken_run() -> None:
    def connect(host: Host, _stopping: threading.Event) -> Transport:
        raise ValueError("odd")

    with ThreadPoolExecutor(1) as executor:
        (outcome,) = Fanout(job(), connect, []).run(hosts("h"), executor)
    assert outcome.state == "failed"
    assert "internal error: ValueError: odd" in outcome.faults[0].brief


def test_what_cannot_be_connected_with_is_an_unreachable_host() -> None:
    def connect(host: Host, _stopping: threading.Event) -> Transport:
        raise UnreachableError("known hosts cannot be read")

    with ThreadPoolExecutor(1) as executor:
        (outcome,) = Fanout(job(), connect, []).run(hosts("h"), executor)
    assert (outcome.state, outcome.faults[0].brief) == ("unreachable", "known hosts cannot be read")


def test_a_listener_that_fails_leaves_no_host_at_work_unseen() -> None:
    stopped: List[str] = []

    def script(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if message["type"] == "stop":
            stopped.append("h")
            return [done(interrupted=True)]
        return [plan("a")]

    def act(event: Event) -> None:
        if event.kind == "plan":
            raise OSError("no room on this machine")

    with pytest.raises(OSError, match="no room"), ThreadPoolExecutor(1) as executor:
        Fanout(job(), lambda *_: agent(script), [Heard(act)]).run(hosts("h"), executor)
    assert stopped == ["h"]


@pytest.mark.parametrize(
    ("states", "interrupted", "status"),
    [
        ([], False, 0),
        (["ok", "changed"], False, 0),
        (["ok", "failed", "unreachable"], False, 2),
        (["ok", "unreachable"], False, 3),
        (["interrupted"], True, 130),
        (["failed"], True, 130),
    ],
)
def test_the_exit_status_tells_the_worst(states: List[str], interrupted: bool, status: int) -> None:
    assert exit_status([HostOutcome("h", state=state) for state in states], interrupted) == status


def test_more_hanging_hosts_than_places_hold_no_other() -> None:
    others_done = threading.Event()
    slow, quick = [f"slow{number}" for number in range(6)], [f"quick{number}" for number in range(20)]

    def connect(host: Host, _stopping: threading.Event) -> Transport:
        if host.name in slow:
            assert others_done.wait(60)
        return agent(answering(plan(), done()))

    finished: List[str] = []

    def act(event: Event) -> None:
        if event.kind == "finished":
            finished.append(event.host)
            if len(finished) == len(quick):
                others_done.set()

    limits = Limits(active=2, most=8)
    with ThreadPoolExecutor(limits.most) as executor:
        outcomes = Fanout(job(), connect, [Heard(act)], limits).run(hosts(*slow, *quick), executor)
    assert {outcome.state for outcome in outcomes} == {"ok"}
    assert sorted(finished[: len(quick)]) == sorted(quick)


def test_no_more_hosts_are_in_hand_than_there_are_places_and_all_are_told_of() -> None:
    begun: List[str] = []
    counts: List[int] = []

    def act(event: Event) -> None:
        (begun.append if event.kind == "connecting" else begun.remove)(event.host)
        counts.append(len(begun))

    def connect(host: Host, _stopping: threading.Event) -> Transport:
        raise UnreachableError("no")

    limits = Limits(active=5, most=9)
    with ThreadPoolExecutor(limits.most) as executor:
        outcomes = Fanout(job(), connect, [Heard(act)], limits).run(hosts(*(f"h{number}" for number in range(3000))), executor)
    assert max(counts) <= limits.active
    assert [outcome.state for outcome in outcomes] == ["unreachable"] * 3000


def test_hosts_that_never_began_are_interrupted_without_a_look_at_them() -> None:
    met: List[str] = []

    def connect(host: Host, _stopping: threading.Event) -> Transport:
        met.append(host.name)
        os.kill(os.getpid(), signal.SIGINT)
        _stopping.wait(20)
        raise UnreachableError("cut")

    with ThreadPoolExecutor(4) as executor:
        outcomes = Fanout(job(), connect, [], Limits(active=1, most=4)).run(hosts("a", "b", "c"), executor)
    assert met == ["a"]
    assert [outcome.state for outcome in outcomes] == ["interrupted"] * 3


def test_many_hosts_leave_no_thread_and_no_descriptor() -> None:
    closed: List[FakeTransport] = []

    def connect(_host: Host, _stopping: threading.Event) -> Transport:
        closed.append(agent(answering(plan(), done())))
        return closed[-1]

    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    with ThreadPoolExecutor(16) as executor:
        outcomes = Fanout(job(), connect, []).run(hosts(*(f"h{number}" for number in range(200))), executor)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
    assert {outcome.state for outcome in outcomes} == {"ok"}
    assert [transport.closed for transport in closed] == [True] * 200


TWICE = """\
import os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from fleet.inventory.model import Host
from fleet.run.fanout import Fanout
from fleet.run.job import Job
os.close(2) if sys.argv[1] == "deaf" else None
def connect(host, stopping):
    os.kill(os.getpid(), signal.SIGINT)
    stopping.wait()
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()
with ThreadPoolExecutor(1) as executor:
    Fanout(Job("facts"), connect, []).run([Host("h", "10.0.0.1")], executor)
"""


@pytest.mark.parametrize("how", ["heard", "deaf"])
def test_the_second_interrupt_ends_at_once_whatever_hangs(how: str) -> None:
    ended = subprocess.run([sys.executable, "-c", TWICE, how], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 130
    assert ended.stdout == ""
    assert ("ended at once; the next run continues from here" in ended.stderr) is (how == "heard")


BOUNDED = """\
import json, os, resource, sys
from concurrent.futures import ThreadPoolExecutor
import fleet.transport.ssh
from fleet.inventory.model import Host
from fleet.run import places
from fleet.run.connector import Connector
from fleet.run.fanout import Fanout
from fleet.run.job import Job
from fleet.secrets.resolver import Resolver
from fleet.transport.login import Login
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
fleet.transport.ssh.ATTEMPTS = 1
peak = 0
class Watch:
    def begin(self, *_): pass
    def end(self, *_): pass
    def hear(self, event):
        global peak
        peak = max(peak, len(os.listdir("/proc/self/fd")))
def named(kind, count, port):
    return [Host(f"{kind}{number}", "127.0.0.1", port=port, user="me") for number in range(count)]
hosts = named("mute", 40, int(sys.argv[1])) + named("refused", 2000, 1)
limits, job, connect = places.limits(500), Job("facts"), Connector(Login(connect_timeout=2), Resolver())
with ThreadPoolExecutor(limits.most) as executor:
    outcomes = Fanout(job, connect, [Watch()], limits).run(hosts, executor)
said = {}
for outcome in outcomes:
    key = outcome.host.rstrip("0123456789") + ": " + outcome.faults[0].brief
    said[key] = said.get(key, 0) + 1
# Not getrusage's: that one counts what the parent had before this program began.
(most,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps({"said": said, "peak": peak, "megabytes": int(most) // 1024}))
"""


def test_thousands_of_hosts_stay_within_few_descriptors_and_little_memory(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as mute:
        port = mute.getsockname()[1]
        argv, env = [sys.executable, "-c", BOUNDED, str(port)], {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["said"] == {
        f"mute: 127.0.0.1 port {port} accepts connections, but no SSH server answers there": 40,
        "refused: 127.0.0.1 port 1 refuses connections": 2000,
    }
    assert found["peak"] < 256
    assert found["megabytes"] < 200
