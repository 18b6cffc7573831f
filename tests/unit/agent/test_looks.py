"""The agent's own looks: what each answers here, and that each can say no."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, cast

import pytest

from fleet.agent import looks, storage
from fleet.agent.host import Host
from fleet.agent.looks import boot, cgroups, clock, drift, kernel, namespaces, room
from fleet.resources import Directory, File, Link
from tests.unit.agent.driver import Session, desired
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.wanted import content, wire

NO_HOST = cast(Host, None)


def probe(look: str, **given: Any) -> Dict[str, Any]:
    return {"name": look, "argv": [], "when": "verify", "timeout": 20, "contents": {}, "look": look, "given": given}


def asked(session: Session, look: str, **given: Any) -> Any:
    (result,) = session.run("verify", [], [probe(look, **given)]).one("probes")["results"]
    assert result["status"] == 0, result
    return json.loads(result["stdout"])


def test_an_unknown_look_and_a_broken_one_are_told(session: Session) -> None:
    (unknown,) = session.run("verify", [], [probe("weather")]).one("probes")["results"]
    assert (unknown["status"], unknown["stderr"]) == (127, "this agent has no look weather")
    (broken,) = session.run("verify", [], [probe("room")]).one("probes")["results"]
    assert (broken["status"], broken["stderr"]) == (1, "KeyError: 'paths'")


def test_a_look_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "look", lambda _given, _host: time.sleep(600))
    done = looks.run("room", {}, NO_HOST, 0.2)
    assert (done.status, done.stdout) == (124, "")


def test_a_look_holds_nothing_of_the_agent_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "look", lambda _given, _host: len(os.listdir("/proc/self/fd")))
    with (tmp_path / "lock").open("w"):
        done = looks.run("room", {}, NO_HOST, 20.0)
    # Three streams, the pipe, and the listing's own.
    assert (done.status, int(done.stdout) <= 5) == (0, True)


def test_no_look_is_loaded_where_none_is_asked_for(session: Session) -> None:
    script = "import sys; sys.stdout.write(str([n for n in sys.modules if 'looks' in n]))"
    exchange = session.run("apply", [], [{**probe(""), "argv": ["python3", "-c", script], "when": "always", "look": ""}])
    assert exchange.one("probes")["results"][0]["stdout"] == "[]"


@pytest.mark.parametrize(("ahead", "there", "here"), [(0.0, 0.1, 0.3), (90.0, 0.5, 0.1), (-3.5, 0.0, 0.2)])
def test_the_clock_s_error_is_at_most_half_of_the_round_trip(ahead: float, there: float, here: float) -> None:
    host = cast(Host, type("Seen", (), {"clock": [100.0 + there, 101.0, 100.0 + ahead, 101.0 + here + ahead]}))
    found = clock.look({}, host)
    assert abs(found["skew"] - ahead) <= found["error"] + 1e-9
    assert found["error"] == pytest.approx((there + here) / 2)


def test_the_clock_is_compared_with_the_time_that_was_sent(session: Session) -> None:
    now = time.time()
    exchange = session.start()
    message = desired("verify", [], [probe("clock")])
    exchange.send({**message, "clock": [now - 100, now - 100]})
    answers = [one for one in exchange.answers() if one["type"] == "probes"]
    exchange.close()
    assert json.loads(answers[0]["results"][0]["stdout"])["skew"] == pytest.approx(100, abs=30)


def test_room_is_told_once_a_path_that_is_there(session: Session, tmp_path: Path) -> None:
    (found,) = asked(session, "room", paths=[str(tmp_path), str(tmp_path / "none")])
    assert found["path"] == str(tmp_path)
    assert 0 < found["free"] <= found["size"]
    assert found["mount"] in str(tmp_path) or found["mount"] == "/"


def test_a_namespace_that_cannot_be_made_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unshare(flags: int) -> None:
        if flags == namespaces.KINDS["net"]:
            raise OSError(28, "unshare: No space left on device")

    monkeypatch.setattr(kernel, "unshare", unshare)
    found = namespaces.look({}, NO_HOST)
    assert found["net"] == "unshare: No space left on device"
    # Nothing was made, and it is seen: the link is this process's own, and the child is no first process.
    assert found["uts"].startswith("it is the host's own: uts:[")
    assert found["pid"] == "it is not the first process"


@pytest.mark.parametrize(
    ("listed", "name", "why"),
    [
        ("cpu\t1\t1\t1\n", "memory", "this kernel has none"),
        ("memory\t0\t1\t0\n", "memory", "the kernel's command line disables it"),
        ("memory\t2\t1\t1\n", "memory", "is not there"),
        ("cpu\t2\t1\t1\n", "cpu", "is no hierarchy"),
    ],
)
def test_a_controller_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, name: str, why: str) -> None:
    (tmp_path / "cpu").mkdir()
    monkeypatch.setattr(cgroups, "ROOT", str(tmp_path))
    monkeypatch.setattr(cgroups, "UNIFIED", str(tmp_path / "cgroup.controllers"))
    monkeypatch.setattr(cgroups, "read", lambda _path: "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + listed)
    found = cgroups.look({"v1": [name], "v2": []}, NO_HOST)
    assert found["version"] == 1
    assert why in found["controllers"][name]
    assert os.listdir(tmp_path / "cpu") == []


def test_a_controller_of_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    monkeypatch.setattr(cgroups, "UNIFIED", str(tmp_path / "cgroup.controllers"))
    found = cgroups.look({"v1": [], "v2": ["cpu", "pids"]}, NO_HOST)
    assert found == {"version": 2, "controllers": {"cpu": "", "pids": f"not in {tmp_path}/cgroup.controllers"}}


def test_what_the_next_boot_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = tmp_path / "system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True)
    monkeypatch.setattr(boot, "UNITS", (str(units),))
    monkeypatch.setattr(boot, "MANAGED", str(tmp_path / "none"))
    monkeypatch.setattr(boot, "read", lambda path: "/dev/sdb1 /srv/skiff xfs defaults 0 0\n" if path == "/etc/fstab" else "")
    given = {"unit": "skiff.service", "root": str(tmp_path)}
    (wants / "skiff.service").symlink_to(units / "skiff.service")
    assert boot.look(given, NO_HOST)["links"] == [], "it leads nowhere"
    (units / "skiff.service").touch()
    (units / "multi-user.target").touch()
    (units / "default.target").symlink_to("multi-user.target")
    found = boot.look(given, NO_HOST)
    assert (found["target"], found["links"]) == ("multi-user.target", [str(wants / "skiff.service")])
    for point, kept in (("/", True), ("/srv/skiff", True), ("/mnt", False)):
        monkeypatch.setattr(storage, "holding", lambda _path, point=point: storage.Mount(point, "xfs"))
        assert boot.look(given, NO_HOST)["kept"] is kept


def drifted(session: Session) -> List[str]:
    return [one["what"] for one in asked(session, "drift")["drift"]]


def test_drift_is_what_somebody_else_did_since(session: Session, root: Path) -> None:
    assert asked(session, "drift") == {"known": 0, "drift": []}
    file, folder, link = root / "file", root / "folder", root / "link"
    resources = [
        wire(File(str(file), content("ours"))),
        wire(Directory(str(folder))),
        wire(Link(str(link), "file")),
    ]
    session.apply(resources)
    assert asked(session, "drift") == {"known": 3, "drift": []}
    file.write_text("theirs")
    folder.rmdir()
    link.unlink()
    assert drifted(session) == [f"{file}: was changed", f"{folder}: was removed", f"{link}: was removed"]
    session.apply(resources)
    assert drifted(session) == []
    gone = [wire(File(str(file), state="absent")), resources[1]]
    session.apply(gone)
    file.write_text("back")
    assert drifted(session) == [f"{file}: came back"]


def test_what_was_changed_by_hand_and_then_declared_is_accepted_by_the_next_run(session: Session, root: Path) -> None:
    file, folder = root / "file", root / "folder"
    session.apply([wire(File(str(file), content("ours"))), wire(Directory(str(folder)))])
    file.write_text("theirs")
    session.apply([wire(File(str(file), content("theirs")))])
    folder.rmdir()
    assert drifted(session) == [], "the directory is nobody's any more"
    file.write_text("again")
    assert drifted(session) == [f"{file}: was changed"]


def test_drift_of_what_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def place(kind: str, name: str, **last: Any) -> Any:
        entry = {"id": f"{kind}:{name}", "before": None, **last}
        return type("Place", (), {"kind": kind, "name": name, "last": entry, "entries": [entry], "original": entry["before"]})

    places = [
        place("sysctl", "net.ipv4.ip_forward", ours="1"),
        place("sysctl", "declared.since", ours="1"),
        place("sysctl", "no.such", ours="1"),
        place("module", "no_such_module"),
        place("group", "nobody-here"),
        place("group", "not-declared"),
        place("package", "x in run", before={"verb": "install"}, ours=["gone"]),
        place("unit", "u.service"),
    ]
    results = [{"id": one.last["id"], "status": "ok"} for one in places if one.name != "not-declared"]
    state = type("State", (), {"read_json": staticmethod(lambda _name: {"ended": 0.0, "results": results})})
    monkeypatch.setattr(drift, "live_value", lambda key: None if key == "no.such" else "0")
    monkeypatch.setattr(drift, "written", lambda _name, key: "0" if key == "declared.since" else "1")
    monkeypatch.setattr("fleet.agent.rpm.everything", lambda _looking: {"bash": 1})
    ledger = type("Ledger", (), {"places": staticmethod(lambda: places)})
    accounts = type("Accounts", (), {"group": staticmethod(lambda _name: None)})
    seen = type("Seen", (), {"ledger": ledger, "accounts": accounts, "looking": True, "state": state})
    found = drift.look({}, cast(Host, seen))
    assert found["known"] == 8
    assert [one["what"] for one in found["drift"]] == [
        "net.ipv4.ip_forward: is 0; it was 1",
        "no.such: is gone; it was 1",
        "no_such_module: was unloaded",
        "nobody-here: was removed",
        "x in run: removed since: gone",
    ]


def test_a_command_is_run_again_while_its_unit_comes_up(session: Session, host: FakeHost, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test -e {mark}.3 && exit 0; for n in 1 2 3; do test -e {mark}.$n || {{ touch {mark}.$n; exit 1; }}; done"
    asking = {**probe(""), "argv": ["sh", "-c", script], "when": "always", "look": "", "patience": 30, "unit": "u.service"}
    host.unit("u.service", active="activating")
    (result,) = session.run("verify", [], [asking]).one("probes")["results"]
    assert result["status"] == 0
    for path in tmp_path.glob("mark.*"):
        path.unlink()
    host.unit("u.service", active="failed")
    (result,) = session.run("verify", [], [asking]).one("probes")["results"]
    assert (result["status"], len(list(tmp_path.glob("mark.*")))) == (1, 1), "a daemon that is down is not waited for"
