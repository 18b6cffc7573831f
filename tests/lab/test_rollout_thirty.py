"""Rollouts over thirty real hosts, each with a container at work, and with every fault that a fleet and its control machine have.

Each of them has to end in the state that docs/guides/upgrades.md promises; what hosts run is asked past SSH.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set

import pytest

from fleet import bundle, probe_image
from fleet.lab import HostSpec, Lab
from tests.lab.control import ENDED_AT, ControlMachine, Point
from tests.lab.rollouts import becomes, ended, versions_in
from tests.lab.suite import RUN, Suite
from tests.lab.workload import said

pytestmark = pytest.mark.long

OWN = bundle.read_version(bundle.ROOT)
NAMES = [f"many{number:02}" for number in range(30)]
SIZES = [1, 3, 15, 11]  # of 1,10%,50%
BATCHES = [NAMES[:1], NAMES[1:4], NAMES[4:19], NAMES[19:]]
LINK, UNIT, ARCHIVE = "link:/opt/skiff/current", "unit:skiff.service", "archive:/opt/skiff/"
START = f"skiff run -d --name still --network none {probe_image.REFERENCE} sleep 1000000"
STANDS = "basename $(readlink /opt/skiff/current); systemctl is-active skiff.service; skiff inspect still"
PUT_RIGHT = "systemctl stop spoil.service 2>/dev/null; ip link set host0 up; systemctl start ssh"


class Fleet:
    """The thirty, and the suite that rolls out over them."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.suite = Suite(lab, directory)
        self._still: Dict[str, Any] = {}

    def bundle(self, version: str) -> str:
        """This checkout's code as another version."""
        path = self.suite.directory / f"{version}.tar.gz"
        path.write_bytes(bundle.build(bundle.ROOT, version))
        return str(path)

    def run(self, argv: List[str], environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        env = {**self.suite.env(), **environment}
        return subprocess.run(argv, capture_output=True, text=True, env=env, cwd=self.suite.directory, timeout=900)

    def words(self, hosts: str = "many*") -> List[str]:
        return ["--hosts", hosts, "--inventory", str(self.lab.inventory)]

    def rolled(self, task: str, *words: str, hosts: str = "many*", status: int = 0) -> Dict[str, Any]:
        """A rollout to its end; its document."""
        return ended(self.run(self.suite.argv(task, *self.words(hosts), *words, "--json")), status)

    def stand(self) -> Dict[str, str]:
        """Each host's current version, asked past SSH. Its daemon is up, and its container has run on since the beginning."""
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(NAMES, pool.map(self._stands, NAMES)))
        still = {name: container for name, (_, container) in found.items()}
        self._still = self._still or still
        assert still == self._still
        return {name: version for name, (version, _) in found.items()}

    def _stands(self, name: str) -> Any:
        version, active, inspected = said(self.lab, name, STANDS).split("\n", 2)
        assert active == "active", name
        state = json.loads(inspected)[0]["State"]
        return version, (state["Status"], state["Pid"], state["StartedAt"])

    def assert_at(self, *expected: str) -> None:
        """The hosts of each of the batches are at its version, their daemons and launchers run it, and nothing else does."""
        wanted = {name: version for batch, version in zip(BATCHES, expected) for name in batch}
        assert self.stand() == wanted
        runs = versions_in(ended(self.run(self.suite.argv("versions", *self.words(), "--json"))))
        assert {name: (here["daemon"], here["launcher"]) for name, here in runs.items()} == {
            name: ([version], [version]) for name, version in wanted.items()
        }

    def put_right(self) -> None:
        """Takes every fault away."""
        for name in NAMES:
            self.lab.set_link(name, "up")
            said(self.lab, name, PUT_RIGHT)

    def strike(self, batch: int, name: str) -> str:
        """A gate that passes, and at this batch pulls a host's cable."""
        code = f"from fleet.lab import Lab; Lab({self.lab.name!r}).set_link({name!r}, 'down')"
        return f'test "$SKIFF_BATCH" != {batch} || {sys.executable} -c "{code}"'

    def cut(self, task: str, point: Optional[Point], words: List[str], on: Optional[ControlMachine] = None) -> None:
        """Runs a task whose process is killed at a point; on a machine of its own, that loses its power with it."""
        environment = dict(point.environment()) if point else {}
        argv = self.suite.argv(task, *words, code=ENDED_AT + RUN)
        if on:
            environment["CUT"] = json.dumps(on.power_cut)
            argv = on.argv(argv)
        done = self.run(argv, environment)
        assert done.returncode == -signal.SIGKILL, (point, done.stdout, done.stderr)


def by_state(document: Dict[str, Any]) -> Dict[str, Set[str]]:
    """Hosts by what became of them."""
    found: Dict[str, Set[str]] = {}
    for name, state in becomes(document).items():
        found.setdefault(state, set()).add(name)
    return found


def except_for(batch: List[str], *names: str) -> Set[str]:
    return set(batch) - set(names)


@pytest.fixture(scope="module")
def thirty(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Booted and provisioned, with a container on each."""
    made = Fleet(lab, tmp_path_factory.mktemp("thirty"))
    try:
        lab.boot([HostSpec(name, 201 + number, "el9") for number, name in enumerate(NAMES)])
        done = made.run(made.suite.argv("provision", *made.words()))
        assert done.returncode == 0, done.stdout
        image = made.suite.directory / "image.tar"
        image.write_bytes(b"".join(probe_image.at_hand()["x86_64"].chunks()))
        done = made.run(made.suite.argv("images.push", str(image), *made.words()))
        assert done.returncode == 0, done.stdout + done.stderr
        for name in NAMES:
            said(lab, name, START)
        made.stand()
        yield made
    finally:
        for name in NAMES:
            lab.remove(name)


@pytest.fixture
def fleet(thirty: Fleet) -> Iterator[Fleet]:
    """The thirty at this checkout's version, whatever an earlier test has left."""
    thirty.put_right()
    thirty.rolled("upgrade", "--to", OWN, "--allow-downgrade", "--batch", "100%")
    yield thirty
    thirty.put_right()


def test_all_of_them_get_it_and_all_go_back(fleet: Fleet) -> None:
    told = fleet.rolled("upgrade", "--to", fleet.bundle("9.0.0"))
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("done", BATCHES)
    assert by_state(told) == {"changed": set(NAMES)}
    fleet.assert_at(*["9.0.0"] * 4)
    told = fleet.rolled("rollback")
    assert (told["rollout"]["state"], by_state(told)) == ("done", {"changed": set(NAMES)})
    fleet.assert_at(*[OWN] * 4)
    verified = fleet.run(fleet.suite.argv("verify", *fleet.words()))
    assert verified.returncode == 0, verified.stdout


def test_hosts_that_do_not_answer_within_the_budget_are_left_for_later(fleet: Fleet) -> None:
    said(fleet.lab, "many05", "systemctl stop ssh")
    fleet.lab.set_link("many12", "down")
    gates = ("--gate", "verify", "--gate", fleet.strike(2, "many22"))
    version = fleet.bundle("9.1.0")
    told = fleet.rolled("upgrade", "--to", version, "--max-failures", "10%", *gates, status=3)
    gone = {"many05", "many12", "many22"}
    assert told["rollout"]["state"] == "done"
    assert by_state(told) == {"changed": set(NAMES) - gone, "unreachable": gone}
    assert {name for name, current in fleet.stand().items() if current == OWN} == gone
    fleet.put_right()
    told = fleet.rolled("upgrade", "--to", version, hosts="@unreachable")
    assert by_state(told) == {"changed": gone}
    fleet.assert_at(*["9.1.0"] * 4)


def test_hosts_that_do_not_answer_beyond_the_budget_end_it(fleet: Fleet) -> None:
    version = fleet.bundle("9.2.0")
    gone = ("many05", "many12", "many22")
    for name in gone:
        fleet.lab.set_link(name, "down")
    told = fleet.rolled("upgrade", "--to", version, "--max-failures", "2", status=2)
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("failed", [])
    assert by_state(told) == {"to do": except_for(NAMES, *gone), "unreachable": set(gone)}
    assert set(fleet.stand().values()) == {OWN}
    # The last of them is lost in the midst of it: with it, its batch is one too many.
    fleet.lab.set_link("many12", "up")
    gates = ("--gate", "verify", "--gate", fleet.strike(2, "many12"))
    told = fleet.rolled("upgrade", "--to", version, "--max-failures", "2", *gates, status=2)
    *before, last = told["rollout"]["batches"]
    assert [len(batch) for batch in (*before, last)] == [1, 3, 14]
    changed = {name for batch in before for name in batch}
    assert told["rollout"]["state"] == "failed"
    assert "many12" in last
    assert by_state(told) == {
        "changed": changed,
        "restored": except_for(last, "many12"),
        "unreachable": set(gone),
        "to do": except_for(NAMES, *gone, *changed, *last),
    }
    assert {name for name, current in fleet.stand().items() if current != OWN} == changed
    # What could not be reached is reached again, and those that have it are left alone.
    fleet.put_right()
    told = fleet.rolled("upgrade", "--to", version)
    assert by_state(told) == {"changed": except_for(NAMES, *changed), "there": changed}
    fleet.assert_at(*["9.2.0"] * 4)


LOST = "until test $(basename $(readlink /opt/skiff/current)) = 9.8.0; do sleep 0.02; done; ip link set host0 down"


def test_a_host_that_is_lost_in_the_switch_is_told_of_and_its_batch_goes_back(fleet: Fleet) -> None:
    said(fleet.lab, "many02", f"systemd-run -q --unit spoil sh -c '{LOST}'")
    version = fleet.bundle("9.8.0")
    told = fleet.rolled("upgrade", "--to", version, status=2)
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("failed", BATCHES[:2])
    rest = {name for batch in BATCHES[2:] for name in batch}
    assert by_state(told) == {"changed": {"many00"}, "restored": {"many01", "many03"}, "unreachable": {"many02"}, "to do": rest}
    assert told["hosts"]["many02"]["rollout"]["why"].startswith("could not be put back")
    assert {name for name, current in fleet.stand().items() if current != OWN} == {"many00", "many02"}
    fleet.put_right()
    assert fleet.rolled("upgrade", "--to", version)["rollout"]["state"] == "done"
    fleet.assert_at(*["9.8.0"] * 4)


SPOIL = "while sleep 0.1; do test -f /opt/skiff/9.3.0/LICENSE && echo x >> /opt/skiff/9.3.0/LICENSE; done"


def test_a_batch_that_fails_its_gate_goes_back_and_the_others_stay(fleet: Fleet) -> None:
    said(fleet.lab, "many09", f"systemd-run -q --unit spoil sh -c '{SPOIL}'")
    told = fleet.rolled("upgrade", "--to", fleet.bundle("9.3.0"), status=2)
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("failed", BATCHES[:3])
    assert told["rollout"]["why"].startswith("many09")
    assert by_state(told) == {"changed": {*BATCHES[0], *BATCHES[1]}, "restored": set(BATCHES[2]), "to do": set(BATCHES[3])}
    fleet.assert_at("9.3.0", "9.3.0", OWN, OWN)
    # A command's word counts as much as a host's.
    said(fleet.lab, "many09", PUT_RIGHT)
    told = fleet.rolled("upgrade", "--to", fleet.bundle("9.4.0"), "--gate", 'test "$SKIFF_BATCH" != 4', status=2)
    assert told["rollout"]["why"] == "the gate 'test \"$SKIFF_BATCH\" != 4' ended with 1"
    assert by_state(told) == {"changed": {name for batch in BATCHES[:3] for name in batch}, "restored": set(BATCHES[3])}
    fleet.assert_at("9.4.0", "9.4.0", "9.4.0", OWN)


def test_the_control_process_killed_again_and_again(fleet: Fleet) -> None:
    first, again = [*fleet.words(), "--to", fleet.bundle("9.5.0")], ["--resume"]
    fleet.cut("upgrade", Point("looked"), first)
    assert set(fleet.stand().values()) == {OWN}
    for point in (
        Point("batch", event="begin", about=ARCHIVE),
        Point("changed"),
        Point("gate", event="facts"),
        Point("verdict", nth=2),
        Point("batch", event="begin", about=LINK, count=5),
        Point("batch", event="begin", about=UNIT, count=5),
        Point("gate", event="facts", count=7),
        Point("batch", nth=2, event="begin", about=LINK, count=11),
        Point("gate"),
    ):
        fleet.cut("upgrade", point, again)
    told = ended(fleet.run(fleet.suite.argv("upgrade", "--resume", "--json")))
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("done", BATCHES)
    assert by_state(told) == {"changed": set(NAMES)}
    fleet.assert_at(*["9.5.0"] * 4)


def test_the_control_process_killed_while_a_batch_goes_back(fleet: Fleet) -> None:
    gate = ("--gate", 'test "$SKIFF_BATCH" != 3')
    fleet.cut("upgrade", Point("back"), [*fleet.words(), "--to", fleet.bundle("9.6.0"), *gate])
    fleet.cut("upgrade", Point("back", event="begin", about=LINK, count=5), ["--resume"])
    fleet.cut("upgrade", Point("back", event="begin", about=UNIT, count=5), ["--resume"])
    fleet.cut("upgrade", Point("restored"), ["--resume"])
    told = ended(fleet.run(fleet.suite.argv("upgrade", "--resume", "--json")), 2)
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("failed", BATCHES[:3])
    assert by_state(told) == {"changed": {*BATCHES[0], *BATCHES[1]}, "restored": set(BATCHES[2]), "to do": set(BATCHES[3])}
    fleet.assert_at("9.6.0", "9.6.0", OWN, OWN)


@pytest.fixture
def control(lab: Lab) -> Iterator[ControlMachine]:
    machine = ControlMachine(lab)
    machine.boot()
    yield machine
    machine.off()


def test_the_control_machine_loses_its_power(fleet: Fleet, control: ControlMachine) -> None:
    first, again = [*fleet.words(), "--to", fleet.bundle("9.7.0")], ["--resume"]
    for number, point in enumerate(
        (
            Point("batch", nth=2, event="need", count=2),
            Point("batch", nth=2, event="begin", about=LINK, count=5),
            Point("gate", event="facts", count=7),
        )
    ):
        fleet.cut("upgrade", point, again if number else first, on=control)
        control.off()
        only_the_journal_is_left(fleet.suite.directory / "state" / "skiff")
        time.sleep(5)
        control.boot()
    told = ended(fleet.run(control.argv(fleet.suite.argv("upgrade", "--resume", "--json"))))
    assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("done", BATCHES)
    assert by_state(told) == {"changed": set(NAMES)}
    fleet.assert_at(*["9.7.0"] * 4)


def only_the_journal_is_left(state: Path) -> None:
    """What a machine has after its start, at the worst: the synced lines, and half of another."""
    for path in state.iterdir():
        if path.name != "rollouts":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with max((state / "rollouts").glob("*.jsonl")).open("a") as stream:
        stream.write('{"kind": "verd')
