"""The control machine's side: keys, the published directory, facts from records, options, what is said of hosts."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from fleet.checks import Outcome
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.pull.directory import SPARED, Directory
from fleet.pull.keys import Keys
from fleet.resources import File
from fleet.run import pulling, pullstatus
from fleet.run.lastfacts import last_facts
from fleet.run.publish import next_edition
from tests.unit.agent.wanted import wire
from tests.unit.fleet.test_tasks import invoke
from tests.unit.pull.host import PullingHost, content, this_machine


def test_a_key_is_its_owners_alone_and_the_first_one_signs(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    first, second = keys.make(None), keys.make(None)
    assert (keys.current, keys.names) == (first, sorted([first, second]))
    assert {path.stat().st_mode & 0o777 for path in keys.directory.iterdir()} == {0o600}
    assert keys.directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="is the key that signs"):
        keys.drop(first)
    keys.use(second)
    keys.drop(first)
    assert list(keys.public()) == [second]


def test_a_passphrase_is_wanted_where_a_key_has_one(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    name = keys.make("correct horse")
    assert b"ENCRYPTED" in (tmp_path / f"{name}.pem").read_bytes()
    for wrong in (None, "another"):
        with pytest.raises(UsageError, match="the passphrase is wrong or missing"):
            keys.signer(lambda wrong=wrong: wrong)  # type: ignore[misc] # bound now
    assert keys.signer(lambda: "correct horse")(b"text")


def test_a_key_that_others_can_read_signs_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    (tmp_path / f"{keys.make(None)}.pem").chmod(0o644)
    with pytest.raises(UsageError, match="can be read by others"):
        keys.signer(lambda: None)


def test_openssl_itself_accepts_a_signature(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    name = keys.make(None)
    (tmp_path / "signature").write_bytes(keys.signer(lambda: None)(b"text"))
    argv = ["openssl", "dgst", "-sha256", "-verify", str(tmp_path / f"{name}.pub"), "-signature", str(tmp_path / "signature")]
    assert subprocess.run(argv, input=b"text", capture_output=True).returncode == 0
    assert subprocess.run(argv, input=b"test", capture_output=True).returncode != 0


def test_objects_that_no_head_names_go_after_a_day(tmp_path: Path) -> None:
    host = PullingHost(tmp_path, "https://127.0.0.1:1")
    for text in ("first", "second"):
        host.publish([wire(File("/x", content(text)))])
    directory, old = Directory(host.site), host.site / "objects" / content("first").sha256
    assert (directory.sweep(), old.exists()) == (0, True)
    yesterday = time.time() - SPARED - 60
    for path in (host.site / "objects").iterdir():
        os.utime(path, (yesterday, yesterday))
    assert directory.sweep() == 2, "the content, and the document that named it"
    assert (old.exists(), (host.site / "objects" / content("second").sha256).exists()) == (False, True)


def test_an_object_that_was_damaged_in_the_directory_is_written_anew(tmp_path: Path) -> None:
    host = PullingHost(tmp_path, "https://127.0.0.1:1")
    host.publish([wire(File("/x", content("text")))])
    path = host.site / "objects" / content("text").sha256
    path.write_bytes(b"TEXT")
    host.publish([wire(File("/x", content("text")))])
    assert path.read_bytes() == b"text"


def test_a_serial_grows_even_where_the_clock_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = next_edition("ann", 30)
    ahead = tmp_path / "skiff" / "pull" / "serial"
    ahead.write_text(f"{first.serial + 1000}\n")
    assert next_edition("ann", 30).serial == first.serial + 1001


def record(directory: Path, name: str, *lines: Any) -> None:
    directory.mkdir(exist_ok=True)
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    (directory / f"{name}.jsonl").write_text(text)


def test_the_newest_recorded_facts_count(tmp_path: Path) -> None:
    old = {"hostname": "a", "kind": "facts", "host": "web1", "at": 1}
    record(tmp_path, "20260101-000000-a", {"kind": "begin"}, old, {**old, "host": "web2"})
    record(tmp_path, "20260102-000000-b", {**old, "hostname": "b", "at": 2}, '{"kind": "facts", "host": "web2", "ho')
    assert last_facts({"web1", "web2", "web3"}, tmp_path) == {"web1": (2, {"hostname": "b"}), "web2": (1, {"hostname": "a"})}


SOURCES = [
    ({"address": ""}, "--from is missing"),
    ({"address": "http://x/y"}, "should begin with https://"),
    ({"address": "https://ann:word@x/y"}, "has a login in it"),
    ({"address": "git+https://token@x/y"}, "has a login in it"),
    ({"address": "https:///y"}, "is no address"),
    ({"address": "https://x/a b"}, "is no address"),
    ({"address": "git+ext://sh"}, "should begin with"),
    ({"address": "git+ssh://git@x/y", "branch": "-x"}, "is no name of a branch"),
    ({"address": "git+ssh://git@x/y", "proxy": "http://x:3128"}, "--proxy: only a source over HTTPS"),
    ({"address": "git+file:///y", "ca": "/etc/ca.pem"}, "--ca: only a source over HTTPS"),
    ({"branch": "main"}, "only a git repository has branches"),
    ({"every": "soon"}, "--every soon: should be a time"),
    ({"jitter": "1h; reboot"}, "should be a time"),
    ({"proxy": "socks://x"}, "--proxy: should be http://HOST:PORT"),
    ({"proxy": "http://ann:word@x:3128"}, "--proxy: has a login in it"),
    ({"ca": "/nowhere/ca.pem"}, "has no certificate in PEM"),
]


@pytest.mark.parametrize(("changed", "message"), SOURCES)
def test_a_faulty_source_is_refused(changed: Dict[str, str], message: str) -> None:
    good = {"address": "https://x/y", "branch": "", "ca": "", "proxy": "", "every": "30min", "jitter": "0s"}
    assert pulling.source(**good, accept_older=False).address == "https://x/y"
    with pytest.raises(UsageError, match=message):
        pulling.source(**{**good, **changed}, accept_older=False)


def test_a_proxy_of_the_environment_is_for_sources_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    rest: Dict[str, Any] = {"branch": "", "ca": "", "every": "30min", "jitter": "0s", "accept_older": False}
    monkeypatch.setenv("SKIFF_PULL_PROXY", "http://ann:word@x:3128")
    for address in ("https://x/y", "git+https://x/y"):
        assert pulling.source(address, proxy="", **rest).proxy == "http://ann:word@x:3128"
        assert pulling.source(address, proxy="http://z:3128", **rest).proxy == "http://z:3128"
    for address in ("git+ssh://git@x/y", "git+file:///y"):
        assert pulling.source(address, proxy="", **rest).proxy == ""
    monkeypatch.setenv("SKIFF_PULL_PROXY", "socks://x")
    with pytest.raises(UsageError, match="SKIFF_PULL_PROXY: should be http://HOST:PORT"):
        pulling.source("https://x/y", proxy="", **rest)


def test_what_cannot_be_published_is_left_out_and_named(tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    (tmp_path / "hosts.yml").write_text("hosts: {web1: {address: 127.0.0.1}, web2: {address: 127.0.0.2}}\n")
    (tmp_path / "roles" / "own").mkdir(parents=True)
    (tmp_path / "roles" / "own" / "role.py").write_text("def resources(facts, variables):\n    return []\n")
    words = ["pull.publish", "--inventory", str(tmp_path / "hosts.yml"), "--out", str(tmp_path / "out")]
    words += ["--role-path", str(tmp_path / "roles"), "--roles", "own"]
    keyless = invoke(*words, "--hosts", "all", **state)
    assert (keyless.returncode, "there is no key to sign with" in keyless.stderr) == (1, True)
    assert invoke("pull.key", **state).returncode == 0
    record(tmp_path / "state" / "skiff" / "runs", "20260101-000000-a", {"kind": "facts", "host": "web1", "at": 1, **this_machine()})
    done = invoke(*words, "--hosts", "all,root@10.0.0.5", **state)
    assert done.returncode == 2
    assert "web1: new; facts of" in done.stdout
    assert "web2: left out: nothing is known of it" in done.stderr
    assert "./inv facts --hosts web2" in done.stderr
    assert "root@10.0.0.5: left out: its name is no plain one" in done.stderr
    assert [path.name for path in (tmp_path / "out" / "hosts").iterdir()] == ["web1"]
    again = invoke(*words, "--hosts", "web1", "--json", **state)
    assert (again.returncode, json.loads(again.stdout)["hosts"]["web1"]["state"]) == (0, "as before")


GOOD: Dict[str, Any] = {
    "result": "unchanged", "ended": 2e9, "converged": 2e9, "made": "now", "serial": 7, "expires": 3e9, "error": None,
    "cpu": 1, "seconds": 1, "bytes": 0, "requests": 1,
}  # fmt: skip
FAILED = {**GOOD, "result": "failed", "error": {"brief": "bad", "details": "", "resolution": "mend"}}


def standing(answer: Optional[str], status: int = 0) -> Optional[pullstatus.Standing]:
    answers = {} if answer is None else {pullstatus.NAME: Outcome(status, answer, "")}
    return pullstatus.standing(HostOutcome("web1", answers=answers))


STANDINGS: List[Any] = [
    ("active\n" + json.dumps(GOOD), 0, True, ""),
    ("inactive\n" + json.dumps(GOOD), 0, False, "its timer is inactive"),
    ("active\n" + json.dumps({**GOOD, "expires": 1e9}), 0, False, "has expired"),
    ("active\n" + json.dumps(FAILED), 0, False, "bad -> mend"),
    ("active\nnull\n", 0, False, "has not pulled yet"),
    ("", pullstatus.NOT_INSTALLED, False, "is not in pull mode"),
    ("active\n{", 0, False, "is not understood"),
    ("active\n" + json.dumps({**GOOD, "ended": float("inf")}), 0, False, "is not understood"),
    ("active\n" + json.dumps({**GOOD, "error": 3}), 0, False, "is not understood"),
    ("active\n[]", 0, False, "is not understood"),
]


@pytest.mark.parametrize(("answer", "status", "well", "complaint"), STANDINGS)
def test_a_hosts_standing_is_told_with_its_cure(answer: str, status: int, well: bool, complaint: str) -> None:
    found = standing(answer, status)
    assert found is not None
    assert found.well is well
    said = list(pullstatus.complaints(found))
    assert any(complaint in line for line in said) if complaint else said == []
    assert list(pullstatus.table({"web1": found}))[1].startswith("web1")


def test_a_host_that_says_nothing_has_no_standing() -> None:
    assert standing(None) is None
