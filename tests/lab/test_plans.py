"""Plans on real hosts: they leave no byte behind, and a saved one is carried out exactly, or the host is refused."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import RUN, Suite, changed, journal, own_roles, planned
from tests.lab.test_provision_cut import KILLED, LEFTOVERS

# Every entry of every file system on disk: its kind, mode, owner, time of change of its content, attributes and content; below
# /usr, which is large, its size and the time of its last change of any kind, which nobody can set back.
SNAPSHOT = """
import hashlib, json, os, stat
AWAY = {"/run", "/proc", "/sys", "/dev", "/tmp", "/usr/share/lab"}
AWAY |= {"/var/log/" + name for name in ("wtmp", "lastlog", "btmp", "journal")}
found = {}
for parent, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(parent, name) not in AWAY]
    for name in folders + names + ([""] if parent == "/" else []):
        path = os.path.join(parent, name)
        if path in AWAY:
            continue
        s = os.lstat(path)
        told = [s.st_mode, s.st_uid, s.st_gid, s.st_nlink if stat.S_ISREG(s.st_mode) else 0, s.st_mtime_ns]
        names = sorted(os.listxattr(path, follow_symlinks=False))
        told += [[one, os.getxattr(path, one, follow_symlinks=False).hex()] for one in names]
        if stat.S_ISLNK(s.st_mode):
            told.append(os.readlink(path))
        elif stat.S_ISREG(s.st_mode) and path.startswith("/usr/"):
            told += [s.st_size, s.st_ctime_ns]
        elif stat.S_ISREG(s.st_mode):
            told.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
        found[path] = told
print(json.dumps(found))
"""
TIME = 4  # where an entry tells when its content was changed
# Its package is in a repository that the host does not know yet.
REPOSITORY_ROLE = """\
from fleet.content import Content
from fleet.resources import Directory, File, Group, Package, Repository, Unit, User

UNIT = b"[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"

def resources(facts, variables):
    return [
        Repository("own", baseurl="file:///usr/share/lab/repository", gpgcheck=False),
        Package(("lvm2",)),
        Group("makers"),
        User("maker", group="makers", home="/home/maker"),
        File("/home/maker/notes", Content.of(b"notes"), owner="maker", group="makers"),
        Directory("/var/lib/made", owner="maker", group="makers"),
        File("/var/lib/made/x", Content.of(b"x"), owner="maker"),
        File("/etc/systemd/system/made.service", Content.of(UNIT)),
        Unit("made.service", enabled=True, active=True),
    ]
"""


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Suite]:
    yield Suite(lab, tmp_path, ("--role-path", str(own_roles(tmp_path)), "--roles", "own"))
    for name in ("lab1", "lab2"):
        lab.exec(name, ["rm", "-rf", "/var/lib/own", "/var/lib/skiff-agent"])


def snapshot(lab: Lab, host: str) -> Dict[str, Any]:
    done = lab.exec(host, ["/usr/bin/python3", "-IB", "-c", SNAPSHOT])
    assert done.returncode == 0, done.stderr
    found: Dict[str, Any] = json.loads(done.stdout)
    return found


def differences(before: Dict[str, Any], after: Dict[str, Any], times: bool = True) -> List[str]:
    """The paths that differ; without `times`, when their content was changed does not count."""

    def told(found: Dict[str, Any], path: str) -> List[Any]:
        fields = list(found.get(path, ()))
        return fields if times else [*fields[:TIME], *fields[TIME + 1 :]]

    return sorted(path for path in {*before, *after} if told(before, path) != told(after, path))


def ask(lab: Lab, host: str, script: str) -> str:
    done = lab.exec(host, ["sh", "-ec", script])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kept(suite: Suite, hosts: str, *words: str) -> Path:
    """A plan of these hosts, kept in a file."""
    path = suite.directory / "kept.plan"
    done = suite.run("plan", hosts, "--out", str(path), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def apply(suite: Suite, path: Path, *words: str, code: str = RUN) -> subprocess.CompletedProcess[str]:
    """`apply`, without the options that its file has."""
    bare = Suite(suite.lab, suite.directory, (), suite.environment)
    argv = bare.argv("apply", str(path), "--inventory", str(suite.lab.inventory), *words, code=code)
    return subprocess.run(argv, capture_output=True, text=True, env=bare.env(), cwd=suite.directory, timeout=300)


def outcomes(done: subprocess.CompletedProcess[str]) -> Dict[str, Any]:
    assert done.stdout, done.stderr
    found: Dict[str, Any] = json.loads(done.stdout)["hosts"]
    return found


def own_suite(suite: Suite, role: str) -> Suite:
    folder = suite.directory / "mine" / "mine"
    folder.mkdir(parents=True)
    (folder / "role.py").write_text(role)
    return Suite(suite.lab, suite.directory, ("--role-path", str(folder.parent), "--roles", "mine"))


LOOKS = (("deprovision", "--check"), ("restore", "--list"), ("restore", "--check", "--path", "/etc/selinux/config"), ("facts",))


def assert_no_look_changes_a_byte(suite: Suite, name: str) -> None:
    """On a host that is provisioned: a deprovision has packages, units, users and files to ask about."""
    for words in (*LOOKS, ("verify",)):
        before = snapshot(suite.lab, name)
        done = suite.run(words[0], name, *words[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        times = words != ("verify",)  # which runs containers, and takes them away
        assert differences(before, snapshot(suite.lab, name), times) == [], words


def test_a_plan_changes_no_byte_of_a_host(lab: Lab, tmp_path: Path, fresh_host: FreshHost) -> None:
    """Bare, with a repository to come; then provisioned, with a package missing, one too many, and files that drifted."""
    suite, name = Suite(lab, tmp_path), fresh_host().name
    mine = own_suite(suite, REPOSITORY_ROLE)
    ask(lab, name, "mv /etc/yum.repos.d/lab.repo /root/")
    before = snapshot(lab, name)
    coming = mine.document("plan", name)
    assert differences(before, snapshot(lab, name)) == []
    assert (coming["status"], coming[name]["plan"]["errors"]) == (0, [])
    made = mine.document("provision", name)
    assert (made["status"], changed(made[name])) == (0, planned(coming[name]))
    ask(lab, name, "mv /root/lab.repo /etc/yum.repos.d/; systemctl disable --now made.service")

    before = snapshot(lab, name)
    assert suite.run("plan", name).returncode == 0
    assert differences(before, snapshot(lab, name)) == []
    assert suite.run("provision", name).returncode == 0
    assert_no_look_changes_a_byte(suite, name)

    ask(lab, name, "rpm -e --nodeps lvm2; echo '{}' > /etc/skiff/daemon.json; systemctl stop skiff; chmod 700 /opt/skiff")
    before = snapshot(lab, name)
    drifted = suite.document("plan", name)
    assert differences(before, snapshot(lab, name)) == []
    assert [one.partition(":")[0] for one in planned(drifted[name])] == ["package", "directory", "unit"]


def test_a_saved_plan_is_carried_out_once(own: Suite, lab: Lab) -> None:
    path = kept(own, "lab")
    assert path.stat().st_mode & 0o777 == 0o600
    shown = json.loads(apply(own, path, "--show", "--json").stdout)
    first = apply(own, path, "--json")
    assert first.returncode == 0, first.stdout + first.stderr
    for name in ("lab1", "lab2"):
        assert changed(outcomes(first)[name]) == [change["id"] for change in shown["hosts"][name]["plan"]["changes"]]
        assert ask(lab, name, "cat /var/lib/own/b") == f"hello from {name}\n"
    second = apply(own, path, "--json")
    assert second.returncode == 2
    for outcome in outcomes(second).values():
        assert [fault["brief"] for fault in outcome["faults"]] == ["the host is already as planned; nothing was changed"]
    assert ask(lab, "lab1", "cat /var/lib/own/count") == "again\n"


def test_what_is_applied_is_the_plan_and_not_what_roles_say_now(own: Suite, lab: Lab) -> None:
    path = kept(own, "lab1")
    (own.directory / "roles" / "own" / "templates" / "b.j2").write_text("something else\n")
    assert apply(own, path).returncode == 0
    assert ask(lab, "lab1", "cat /var/lib/own/b") == "hello from lab1\n"


def test_a_host_that_moved_on_is_refused_and_holds_no_other(own: Suite, lab: Lab) -> None:
    own.document("provision", "lab")
    path = kept(own, "lab", "--set", "word=other")
    ask(lab, "lab1", "echo mine > /var/lib/own/b; ln -sfn elsewhere /var/lib/own/c")
    done = apply(own, path, "--set", "word=other", "--json")
    assert done.returncode == 2
    first, second = (outcomes(done)[name] for name in ("lab1", "lab2"))
    assert (first["state"], second["state"], first["results"]) == ("failed", "changed", [])
    assert [fault["where"] for fault in first["faults"]] == ["", "file:/var/lib/own/b", "link:/var/lib/own/c"]
    assert "moved on" in first["faults"][0]["brief"]
    assert "./inv plan --hosts lab1 --out FILE" in first["faults"][0]["resolution"]
    assert "now: update link /var/lib/own/c" in first["faults"][2]["details"]
    assert ask(lab, "lab1", "cat /var/lib/own/b; readlink /var/lib/own/c") == "mine\nelsewhere\n"
    unset = apply(own, path)
    assert (unset.returncode, "was made with --set word=..." in unset.stderr) == (1, True)


def test_another_machine_at_the_address_is_refused(own: Suite, lab: Lab) -> None:
    path = kept(own, "lab1")
    other = next(status.address for status in lab.status() if status.name == "lab2")
    done = apply(own, path, "--set", f"address={other}", "--json")
    assert done.returncode == 2
    assert "not the host that was planned" in outcomes(done)["lab1"]["faults"][0]["brief"]
    assert lab.exec("lab2", ["ls", "/var/lib/own"]).returncode != 0


def test_an_apply_takes_one_connection_and_one_exec(own: Suite, lab: Lab) -> None:
    path = kept(own, "lab1")
    before = len(journal(lab, "lab1"))
    assert apply(own, path).returncode == 0
    said = journal(lab, "lab1")[before:]
    assert len([line for line in said if line.startswith("Connection from")]) == 1
    assert len([line for line in said if line.startswith("Starting session: ")]) == 1


def test_a_killed_apply_is_mended_by_a_provision(own: Suite, lab: Lab) -> None:
    path = kept(own, "lab1")
    own.environment = {"KILL_AFTER": "6"}
    assert apply(own, path, code=KILLED + RUN).returncode == -signal.SIGKILL
    own.environment = {}
    again = own.document("provision", "lab1")
    assert (again["status"], again["lab1"]["faults"]) == (0, [])
    assert changed(own.document("provision", "lab1")["lab1"]) == []
    assert ask(lab, "lab1", LEFTOVERS) == ""
    assert ask(lab, "lab1", "cat /var/lib/own/count") in ("again\n", "again\nagain\n")
    assert "already as planned" in apply(own, path).stdout


def test_a_host_that_was_not_planned_is_told(own: Suite, lab: Lab) -> None:
    lab.set_link("lab2", "down")
    try:
        path = own.directory / "part.plan"
        done = own.run("plan", "lab", "--out", str(path))
    finally:
        lab.set_link("lab2", "up")
    assert done.returncode == 3
    assert f"lab2: is not in {path}: " in done.stdout
    only = apply(own, path, "--hosts", "lab2")
    assert only.returncode == 1
    assert "none of these is in" in only.stderr
    assert list(own.directory.glob(".part.plan*")) == []


SECRET_ROLE = """\
from fleet.content import Content
from fleet.resources import Directory, File, JsonFile

def resources(facts, variables):
    return [
        Directory("/var/lib/own"),
        File("/var/lib/own/key", Content.of(variables.secret("mine_word")), mode="0600"),
        JsonFile("/var/lib/own/j", {"token": variables.secret("mine_word"), "user": "ann"}, mode="0600"),
    ]
"""


def test_secrets_stay_out_of_a_plan_and_are_fetched_anew(lab: Lab, tmp_path: Path) -> None:
    mine = own_suite(Suite(lab, tmp_path), SECRET_ROLE)
    (tmp_path / "mine" / "mine" / "defaults.yml").write_text(
        "mine_word: {type: secret, default: {secret: {env: MINE_WORD}}, help: A word.}\n"
    )
    mine.environment = {"MINE_WORD": "correct horse battery"}
    path = kept(mine, "lab1")
    said = subprocess.run(["unzip", "-p", str(path)], capture_output=True, check=True).stdout
    assert b"/var/lib/own/key" in said
    for word in (b"correct horse", hashlib.sha256(b"correct horse battery").hexdigest().encode()):
        assert word not in said
    mine.environment = {"MINE_WORD": "another horse battery"}
    refused = apply(mine, path, "--json")
    assert refused.returncode == 2
    assert (
        outcomes(refused)["lab1"]["faults"][0]["brief"] == "file:/var/lib/own/key: the secret in it changed since the plan was made"
    )
    assert lab.exec("lab1", ["ls", "/var/lib/own"]).returncode != 0
    mine.environment = {"MINE_WORD": "correct horse battery"}
    try:
        assert apply(mine, path).returncode == 0
        assert ask(lab, "lab1", "cat /var/lib/own/key") == "correct horse battery"
        assert json.loads(ask(lab, "lab1", "cat /var/lib/own/j")) == {"token": "correct horse battery", "user": "ann"}
    finally:
        ask(lab, "lab1", "rm -rf /var/lib/own /var/lib/skiff-agent")
