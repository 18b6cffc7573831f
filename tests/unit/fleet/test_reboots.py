"""Hosts rebooted in a run: those that need it, by batches, waited for, verified; none after one that did not come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import pytest

from fleet.errors import UnreachableError, UsageError
from fleet.events import Event, HostOutcome
from fleet.inventory.model import Host
from fleet.run.fanout import Fanout
from fleet.run.reboots import LOOK, Reboots
from fleet.transport import END, ERR, OUT, Received, Transport
from fleet.transport.fake import FakeChannel, FakeTransport
from tests.unit.fleet.test_fanout import Heard
from tests.unit.fleet.wire import agent_channel, done, job, plan, result

REASON = "SELinux stays on until this host is started anew"
REFUSED = {"brief": "containers would not be started again: db", "details": "", "resolution": "stop them, or give --force"}


class Machine:
    """A host that can be rebooted. `away` looks fail while it is, `starting` more tell that units still start."""

    def __init__(self, needs: bool = True, away: int = 2, starting: int = 1, cured: bool = True) -> None:
        self.boot, self.needs = 1, needs
        self.away, self.starting, self.cured = away, starting, cured
        self.refuses = self.drifts = False
        self.busy = 0  # logins that fail once it is back
        self.rebooting = 0
        self.log: List[str] = []

    def transport(self) -> Transport:
        fault = UnreachableError("no route to host") if self._is_away() else None
        if fault is None and self.boot > 1 and not self.starting and self.busy:
            self.busy -= 1
            fault = UnreachableError("opened no session")
        return FakeTransport(self._open, fault=fault)

    def _is_away(self) -> bool:
        if not self.rebooting:
            return False
        self.rebooting -= 1
        if self.rebooting == 0:
            self.boot += 1
            self.needs = not self.cured
        return self.rebooting > 0

    def _open(self, command: str) -> FakeChannel:
        if command != LOOK:
            return agent_channel(self._answer)(command)
        state = "starting" if self.starting else "running"
        self.starting = max(0, self.starting - 1)
        said = f"Welcome to h\r\nboot-{self.boot}\r\n{state}\n".encode()
        return FakeChannel(lambda _: [Received(OUT, said[:9]), Received(ERR, b"?"), Received(OUT, said[9:]), Received(END, b"")])

    def _answer(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if message["type"] != "desired":
            return []
        self.log.append(f"{message['mode']} on {self.boot}")
        reasons = [REASON] if self.needs else []
        if message["mode"] == "verify" and self.drifts:
            return [plan("a"), done(changed=1, reboot=reasons)]
        if not (message.get("reboot") and self.needs):
            return [plan(), result("a"), done(reboot=reasons)]
        error = REFUSED if self.refuses and not message["reboot"]["force"] else None
        ordered = {"type": "reboot", "boot": f"boot-{self.boot}", "reasons": reasons, "containers": ["db (no)"], "error": error}
        self.rebooting = 0 if error else self.away
        return [plan(), result("a"), ordered, done(reboot=reasons)]


class Clock:
    """Time that passes only while somebody pauses."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, [0.0]

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


def run(
    machines: Mapping[str, Machine], batch: str = "1", force: bool = False, act: Optional[Callable[[Event], None]] = None
) -> Any:
    """The outcomes by host, the events, and the clock."""
    clock, heard = Clock(), Heard(act or (lambda _: None))
    reboots = Reboots(batch, 60.0, force, clock.pause, clock)
    with ThreadPoolExecutor(1) as executor:
        fanout = Fanout(job(), lambda host, _: machines[host.name].transport(), [heard], reboots=reboots)
        outcomes = fanout.run([Host(name, "10.0.0.1") for name in machines], executor)
    return {outcome.host: outcome for outcome in outcomes}, heard.events, clock


def states(outcomes: Mapping[str, HostOutcome]) -> Dict[str, str]:
    return {name: outcome.state for name, outcome in outcomes.items()}


def test_a_host_that_needs_it_is_rebooted_waited_for_and_verified_and_no_other() -> None:
    machines = {"a": Machine(), "b": Machine(needs=False)}
    outcomes, events, clock = run(machines)
    assert states(outcomes) == {"a": "changed", "b": "ok"}
    assert machines["a"].log == ["apply on 1", "apply on 1", "verify on 2"]
    assert machines["b"].log == ["apply on 1"]
    assert (outcomes["a"].rebooted, outcomes["a"].reboot, outcomes["a"].faults) == ((REASON,), (), [])
    told = [event for event in events if event.kind in ("reboot", "booted")]
    assert [event.kind for event in told] == ["reboot", "booted"]
    assert told[0].data["containers"] == ["db (no)"]
    assert clock.pauses[1:] == sorted(set(clock.pauses[1:]), key=clock.pauses.index), "at random: no two pauses are the same"
    assert all(1 <= seconds <= 5 for seconds in clock.pauses[1:])


def test_every_host_is_as_declared_before_the_first_is_rebooted() -> None:
    machines = {name: Machine() for name in "abc"}
    order: List[str] = []
    run(machines, act=lambda event: order.append(f"{event.kind} {event.host}"))
    first = next(index for index, one in enumerate(order) if one.startswith("reboot"))
    assert {f"finished {name}" for name in "abc"} <= set(order[:first])


def test_after_one_that_did_not_come_back_no_other_is_touched() -> None:
    machines = {"a": Machine(), "b": Machine(away=1000), "c": Machine()}
    outcomes, _, _ = run(machines)
    assert states(outcomes) == {"a": "changed", "b": "failed", "c": "failed"}
    [fault] = outcomes["b"].faults
    assert (fault.where, fault.brief, fault.details) == ("reboot", "it is not back within 60 s", "no route to host")
    assert "b did not come back well" in outcomes["c"].faults[0].brief
    assert (machines["c"].boot, outcomes["c"].reboot) == (1, (REASON,))


def test_a_host_that_says_it_reboots_and_does_not_is_not_taken_for_one_that_did() -> None:
    machine = Machine()
    machine.away = 0
    outcomes, _, _ = run({"a": machine})
    assert outcomes["a"].state == "failed"
    assert "its boot is boot-1, it was boot-1" in outcomes["a"].faults[0].details


def test_what_a_reboot_did_not_cure_is_told_and_not_tried_again() -> None:
    machine = Machine(cured=False)
    outcomes, _, _ = run({"a": machine})
    assert (outcomes["a"].state, machine.boot) == ("failed", 2)
    assert "once more" in outcomes["a"].faults[-1].brief


def test_a_host_that_comes_back_otherwise_than_declared_fails_and_holds_the_rest() -> None:
    machines = {"a": Machine(), "b": Machine()}
    machines["a"].drifts = True
    outcomes, _, _ = run(machines)
    assert states(outcomes) == {"a": "failed", "b": "failed"}
    assert machines["b"].boot == 1


@pytest.mark.parametrize(("force", "boot"), [(False, 1), (True, 2)])
def test_containers_that_would_be_lost_stand_against_it_unless_by_force(force: bool, boot: int) -> None:
    machine = Machine()
    machine.refuses = True
    outcomes, _, _ = run({"a": machine}, force=force)
    assert machine.boot == boot
    assert [fault.brief for fault in outcomes["a"].faults] == ([] if force else [REFUSED["brief"]])
    assert outcomes["a"].state == ("changed" if force else "failed")


def test_a_host_too_busy_for_a_login_after_its_boot_is_tried_again() -> None:
    machine = Machine()
    machine.busy = 5
    outcomes, _, _ = run({"a": machine})
    assert (states(outcomes), machine.busy, machine.log[-1]) == ({"a": "changed"}, 0, "verify on 2")


def test_a_host_that_is_refused_holds_up_no_other() -> None:
    machines = {"a": Machine(), "b": Machine()}
    machines["a"].refuses = True
    outcomes, _, _ = run(machines)
    assert (states(outcomes), machines["b"].boot) == ({"a": "failed", "b": "changed"}, 2)


def test_a_run_that_was_cut_is_finished_by_the_next() -> None:
    machine = Machine()
    machine.boot, machine.needs = 2, False  # somebody else has rebooted it meanwhile
    outcomes, _, _ = run({"a": machine})
    assert (states(outcomes), machine.log) == ({"a": "ok"}, ["apply on 2"])


@pytest.mark.parametrize(
    ("batch", "hosts", "size"), [("1", 30, 1), ("7", 30, 7), ("10%", 30, 3), ("10%", 3, 1), ("100%", 4, 4), ("33%", 10, 3)]
)
def test_a_batch_is_a_number_or_a_share(batch: str, hosts: int, size: int) -> None:
    assert Reboots(batch, 60.0, False).size(hosts) == size


@pytest.mark.parametrize("batch", ["0", "-1", "x", "0%", "101%", "%", ""])
def test_any_other_batch_is_refused(batch: str) -> None:
    with pytest.raises(UsageError, match="--reboot-batch"):
        Reboots(batch, 60.0, False).size(10)
