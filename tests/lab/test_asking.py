"""Hosts asked: a command of one's own on each, their containers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fleet import probe_image
from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import Suite


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    return Suite(lab, tmp_path)


def test_a_command_runs_as_root_on_every_host_and_each_answers_for_itself(suite: Suite) -> None:
    same = suite.run("exec", "lab1,lab2", "--", "id", "-u")
    assert (same.returncode, same.stdout) == (0, "2 hosts: lab1, lab2\n  0\n"), same.stderr
    script = 'printf "\\033[2J%s\\n" "$0"; test "$(hostname)" = lab1 || exit 3'
    other = suite.run("exec", "lab1,lab2", "--json", "--", "/bin/sh", "-c", script, "a  b")
    answers = {host: told["answer"] for host, told in json.loads(other.stdout).items()}
    assert {host: answer["status"] for host, answer in answers.items()} == {"lab1": 0, "lab2": 3}
    assert answers["lab2"]["stdout"] == "\x1b[2Ja  b\n"
    assert other.returncode == 2
    opening, *_, ending = suite.events()
    assert opening["command"] == ["/bin/sh", "-c", script, "a  b"]
    assert {host: one["state"] for host, one in ending["hosts"].items()} == {"lab1": "ok", "lab2": "failed"}


def test_a_command_whose_time_is_over_is_killed_with_what_it_started(suite: Suite, lab: Lab) -> None:
    done = suite.run("exec", "lab1", "--timeout", "1", "--shell", "--command", "sleep 4321 & sleep 4321; true")
    assert (done.returncode, "exit status 124" in done.stderr) == (2, True), done.stderr
    assert lab.exec("lab1", ["pgrep", "-f", "sleep 4321"]).returncode == 1


def test_a_host_whose_key_is_not_known_is_not_asked(suite: Suite, lab: Lab) -> None:
    # By its address it is not the inventory's host, and the person who runs this knows no keys.
    done = suite.run("exec", f"root@{lab.status()[0].address}", "--", "touch", "/run/asked")
    assert (done.returncode, "host key" in done.stderr) == (3, True), done.stderr
    assert lab.exec("lab1", ["test", "-e", "/run/asked"]).returncode == 1


def test_containers_of_all_hosts_and_what_they_wrote(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host().name
    assert suite.run("provision", host).returncode == 0
    image = probe_image.build(report=lambda _: None, root=tmp_path)
    with image.open("rb") as stream:
        subprocess.run([*lab.ssh_argv(host), "skiff load"], stdin=stream, stdout=subprocess.DEVNULL, check=True)
    for name, words in (("web", "sh -c 'echo one; echo two >&2; exec sleep 1000'"), ("done", "true")):
        start = f"skiff run {'-d' if name == 'web' else ''} --name {name} --network none {probe_image.REFERENCE} {words}"
        assert lab.exec(host, ["sh", "-c", start]).returncode == 0
    running, everything = (json.loads(suite.run("ps", host, "--json", *words).stdout)[host] for words in ((), ("--all",)))
    assert [one["names"] for one in running["containers"]] == [["web"]]
    assert {one["names"][0]: one["command"] for one in everything["containers"]} == {
        "web": "sh -c 'echo one; echo two >&2; exec sleep 1000'",
        "done": "true",
    }
    # lab1 is as it was booted: no engine answers there, and it hides no other host's list.
    table = suite.run("ps", f"{host},lab1")
    assert (table.returncode, table.stdout.splitlines()[1].split()[0]) == (2, host), table.stderr
    assert "lab1: there is no /usr/local/bin/skiff" in table.stderr
    stamped = suite.run("logs", host, "web", "--timestamps", "--tail", "2")
    assert stamped.returncode == 0, stamped.stderr
    assert [line.split()[0::3] for line in stamped.stdout.splitlines()] == [[host, "one"], [host, "two"]]
    assert json.loads(suite.run("logs", host, "done", "--json").stdout)[host]["lines"] == []
    nowhere = suite.run("logs", host, "nix")
    assert (nowhere.returncode, nowhere.stderr) == (2, "no host has a container nix\n")
