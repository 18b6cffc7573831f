"""Secrets of all three sources reach a host's files and nothing else: no argument list, output, record, report, log or error.

Each secret is a canary. It is looked for as it is, escaped, in base64 and hexadecimal, and in what gzip and zlib packed.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import subprocess
import threading
import zlib
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pyrage
import pytest

from fleet.lab import Lab
from fleet.secrets import age, documents
from tests.lab.suite import Suite

SOURCES = ("age", "env", "command")
# What stands in every secret, in a row of characters that no escaping changes.
CANARIES = {source: f"c4n4ry-{source}-7f3b9e1d".encode() for source in SOURCES}
SECRETS = {source: f'pässword "{canary.decode()}" \\' for source, canary in CANARIES.items()}

ROLE = """\
from fleet.checks import Check, Probe
from fleet.content import Content
from fleet.resources import Command, Directory, Handler, JsonFile, Template

def refusals(facts, variables):
    if variables.string("fault") == "refusal":
        return ["refused: " + variables.secret("by_age").reveal()]
    return []

def resources(facts, variables):
    secrets = {source: variables.secret("by_" + source) for source in ("age", "env", "command")}
    fault = variables.string("fault")
    if fault == "role":
        raise ValueError("no such password: " + secrets["age"].reveal())
    if fault == "argv":
        return [Command("login", ("login", secrets["env"].reveal()))]
    given = {**secrets, "fault": fault}
    checked = ("sh", "-c", "cat {} >&2; base64 {}; exit 1") if fault == "validate" else ()
    config = Template("/var/lib/vault/app.conf", "app.conf.j2", given, mode="0600", validate=checked)
    values = {"login": secrets["env"], "deep": [{"key": secrets["command"]}], "url": "http://u:" + secrets["age"].reveal() + "@h/"}
    command = "cat /var/lib/vault/app.conf; base64 -w0 /var/lib/vault/app.conf >&2; cat"
    return [
        Directory("/var/lib/vault"),
        config,
        JsonFile("/var/lib/vault/app.json", values, mode="0600"),
        Command("echo", ("sh", "-c", command + ("; exit 1" if fault == "echo" else "")), stdin=Content.of(secrets["age"])),
        Handler(Command("again", ("sh", "-c", "cat /var/lib/vault/*; exit " + ("1" if fault == "handler" else "0"))), (config.id,)),
    ]
"""
CHECKS = """\
from fleet.checks import Check, Probe

def probes(facts, variables):
    return [Probe("look", ("sh", "-c", "cat /var/lib/vault/app.*; base64 -w0 /var/lib/vault/app.conf >&2"))]

def judge(facts, variables, outcomes):
    secret = variables.secret("by_command").reveal()
    return [Check("It is there: " + secret, False, one.stdout + one.stderr) for one in outcomes.values()]
"""
TEMPLATE = """\
age={{ age }}
env={{ env }} {{ env | b64encode }} {{ env | tojson }}
command={{ command }}
{% if fault == "template" %}{{ {}[age] + (command | int("x")) }}{% endif %}
{% if fault == "changed" %}changed{% endif %}
"""
PACKED = rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]"
FAULTS = ("template", "role", "refusal", "argv", "handler", "echo", "validate")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What holds the secrets on purpose, out of the directory that is searched."""
    directory = tmp_path_factory.mktemp("inputs")
    identity = pyrage.x25519.Identity.generate()
    for name, text in (("age.txt", str(identity)), ("command", f"{SECRETS['command']}\n")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    role = directory / "roles" / "vault"
    (role / "templates").mkdir(parents=True)
    (role / "role.py").write_text(ROLE)
    (role / "checks.py").write_text(CHECKS)
    (role / "templates" / "app.conf.j2").write_text(TEMPLATE)
    declared = [f"by_{source}: {{type: secret, default: null, help: One.}}\n" for source in SOURCES]
    (role / "defaults.yml").write_text("".join(declared) + "fault: {type: string, default: '', help: What fails.}\n")
    (directory / "age.yml").write_text(documents.form(age.encrypt(SECRETS["age"], [identity.to_public()]), "by_age"))
    return directory


@pytest.fixture
def suite(lab: Lab, tmp_path: Path, inputs: Path) -> Iterator[Suite]:
    path = tmp_path / "group_vars" / "all.yml"
    path.parent.mkdir()
    command = json.dumps(["cat", str(inputs / "command")])
    others = f"by_env: {{secret: {{env: BY_ENV}}}}\nby_command: {{secret: {{command: {command}}}}}\n"
    path.write_text((inputs / "age.yml").read_text() + others)
    (tmp_path / "hosts.yml").write_text(lab.inventory.read_text())
    made = Suite(lab, tmp_path, ("--role-path", str(inputs / "roles"), "--roles", "vault"))
    made.environment = {"BY_ENV": SECRETS["env"], "SKIFF_AGE_IDENTITY": str(inputs / "age.txt")}
    yield made
    lab.exec("lab1", ["rm", "-rf", "/var/lib/vault", "/var/lib/skiff-agent"])


def found_in(data: bytes, depth: int = 2) -> Set[str]:
    """The sources whose canary bytes hold, in whatever form."""
    found = set()
    for source, canary in CANARIES.items():
        forms = {canary, canary.hex().encode(), canary[::-1]}
        for shift in range(3):
            forms.add(base64.b64encode(b"x" * shift + canary)[4:-4])
        if any(form in data for form in forms):
            found.add(source)
    for packed in re.finditer(PACKED, data) if depth else ():
        with contextlib.suppress(zlib.error):
            found |= found_in(zlib.decompressobj(47).decompress(data[packed.start() :], 1 << 20), depth - 1)
    return found


def files_in(directory: Path) -> Dict[str, Set[str]]:
    """The files below a directory that hold any."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    held = {str(path.relative_to(directory)): found_in(path.read_bytes()) for path in files}
    return {name: found for name, found in held.items() if found}


class Processes(threading.Thread):
    """Looks at every process of this machine, of the lab's hosts too, for as long as it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: Set[Tuple[str, str]] = set()
        self.looks = 0
        self.names: Set[str] = set()

    def run(self) -> None:
        ours = os.readlink("/proc/self/ns/pid")
        while not self.over.is_set():
            self.looks += 1
            for name in filter(str.isdigit, os.listdir("/proc")):
                try:
                    argv, environment = (Path("/proc", name, file).read_bytes() for file in ("cmdline", "environ"))
                    on_host = os.readlink(f"/proc/{name}/ns/pid") != ours
                except OSError:
                    continue
                self.names.add(argv.partition(b"\0")[0].decode(errors="replace"))
                self.seen |= {(source, "argv") for source in found_in(argv, 0)}
                # On this machine a variable of the environment is one, for its owner to see.
                held = found_in(environment, 0) - (set() if on_host else {"env"})
                self.seen |= {(source, "environ") for source in held}


@pytest.fixture
def processes() -> Iterator[Processes]:
    thread = Processes()
    thread.start()
    yield thread
    thread.over.set()
    thread.join()


def run(suite: Suite, task: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A task over lab1; what it prints is searched."""
    done = suite.run(task, "lab1", *words, inventory=str(suite.directory / "hosts.yml"))
    assert found_in((done.stdout + done.stderr).encode()) == set(), f"{task} {words}"
    assert not [word for word in ("Traceback", "No idea what") if word in done.stderr], done.stderr
    return done


def looked_back(suite: Suite) -> None:
    """The last run's record, shown and drawn."""
    for words in (["runs.show", "--diff"], ["runs.show", "--json"], ["report", "--out", str(suite.directory / "report.html")]):
        argv = [*Suite(suite.lab, suite.directory).argv(words[0], *words[1:])]
        done = subprocess.run(argv, capture_output=True, text=True, env=suite.env(), cwd=suite.directory, timeout=60)
        assert done.returncode == 0, done.stderr
        assert found_in(done.stdout.encode()) == set()


def on_host(lab: Lab) -> List[str]:
    """Mode, owner and path of each file of the host that holds any, and of the directories down to it where they are private."""
    script = """
import base64, os, sys
forms = [bytes.fromhex(word) for word in sys.argv[1:]]
for top in "/etc", "/var", "/run", "/tmp", "/root", "/home", "/opt", "/usr/local":
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            if any(form in data for form in forms):
                found = os.stat(path)
                print("%o" % (found.st_mode & 0o7777), found.st_uid, path)
"""
    forms = [
        form for canary in CANARIES.values() for form in (canary, *(base64.b64encode(b"x" * n + canary)[4:-4] for n in range(3)))
    ]
    done = lab.exec("lab1", ["python3", "-c", script, *(form.hex() for form in forms)])
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    text = json.dumps(SECRETS)
    assert found_in(text.encode()) == set(SOURCES)
    assert found_in(base64.b64encode(b"a" + text.encode())) == set(SOURCES)
    assert found_in(b"head" + gzip.compress(b"." * 5000 + text.encode())) == set(SOURCES)
    (tmp_path / "x").write_text(text)
    assert files_in(tmp_path) == {"x": set(SOURCES)}


def test_a_file_that_holds_secrets_is_restored_and_nothing_of_it_shown(suite: Suite, lab: Lab) -> None:
    look = ["sh", "-c", "stat -c '%a %U %G' /var/lib/vault/app.conf; cat /var/lib/vault/app.conf"]
    run(suite, "provision")  # whose checks fail, on purpose
    before = lab.exec("lab1", look).stdout
    run(suite, "provision", "--set", "fault=changed")
    lab.exec("lab1", ["chmod", "640", "/var/lib/vault/app.conf"])
    assert lab.exec("lab1", look).stdout != before
    bare = Suite(lab, suite.directory, suite.options[:2])
    run(bare, "restore", "--list")
    path = ("--path", "/var/lib/vault/app.conf", "--diff")
    done = run(bare, "restore", *path, "--check")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "/var/lib/vault/app.conf mode: 0640 -> 0600" in shown
    assert "/var/lib/vault/app.conf: content not shown" in shown
    assert run(bare, "restore", *path).returncode == 0
    assert lab.exec("lab1", look).stdout == before
    assert found_in(before.encode()) == set(SOURCES)
    looked_back(suite)
    assert files_in(suite.directory) == {}


def test_secrets_are_in_the_files_that_are_meant_to_hold_them_and_nowhere_else(
    suite: Suite, lab: Lab, processes: Processes
) -> None:
    done = run(suite, "plan", "--out", str(suite.directory / "kept.plan"))
    assert done.returncode == 0, done.stderr
    assert (suite.directory / "kept.plan").exists()
    run(suite, "provision", "--diff")
    config = lab.exec("lab1", ["cat", "/var/lib/vault/app.conf"]).stdout
    assert all(f"{source}={secret}" in config for source, secret in SECRETS.items())
    document = json.loads(lab.exec("lab1", ["cat", "/var/lib/vault/app.json"]).stdout)
    assert (document["login"], document["deep"]) == (SECRETS["env"], [{"key": SECRETS["command"]}])
    lab.exec("lab1", ["sh", "-c", "echo '{\"old\": 1}' > /var/lib/vault/app.json"])
    run(suite, "provision", "--json", "--diff", "--set", "fault=changed")
    looked_back(suite)
    run(suite, "verify", "--junit", str(suite.directory / "junit.xml"), "--json")
    run(suite, "verify", "--tap")
    for fault in FAULTS:
        done = run(suite, "provision", "--diff", "--set", f"fault={fault}")
        assert done.returncode == 2, fault
    looked_back(suite)
    processes.over.set()
    processes.join()
    assert processes.seen == set()
    assert processes.looks > 20
    assert {"sh", "/usr/sbin/sshd"} & processes.names, "no process of the host was seen"
    assert files_in(suite.directory) == {}
    assert (suite.directory / "report.html").stat().st_size > 1000
    assert b"(secret)" in (suite.directory / "junit.xml").read_bytes()
    held = on_host(lab)
    assert [line for line in held if "/backup/" not in line] == ["600 0 /var/lib/vault/app.conf", "600 0 /var/lib/vault/app.json"]
    assert [line for line in held if "/backup/" in line]
    assert all(line.startswith("600 0 /var/lib/skiff-agent/backup/") for line in held if "/backup/" in line)
    modes = lab.exec("lab1", ["find", "/var/lib/skiff-agent", "-perm", "/077", "!", "-path", "*/backup/*"]).stdout
    assert modes == ""
    assert lab.exec("lab1", ["stat", "-c", "%a", "/var/lib/skiff-agent"]).stdout == "700\n"
    said = lab.exec("lab1", ["journalctl", "-q", "-o", "export"]).stdout
    assert "sshd" in said
    assert found_in(said.encode()) == set()
    suite.options = ()
    assert run(suite, "inventory.show").stdout.count("(secret: ") == 3


def test_passwords_and_a_passphrase_open_the_way_to_a_host(lab: Lab, tmp_path: Path) -> None:
    """A user with a password, who needs one for sudo too; and a key that is opened by a passphrase."""
    address = next(status.address for status in lab.status() if status.name == "lab1")
    key, phrase = tmp_path / "key", "opens-the-key"
    key.write_bytes(lab.identity.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", phrase, "-f", str(key)], check=True)
    (tmp_path / "phrase").write_text(phrase)
    common = {"address": address, "known_hosts": str(lab.known_hosts)}
    password = {"secret": {"env": "PW"}}
    passphrase = {"secret": {"command": ["cat", str(tmp_path / "phrase")]}}
    by_password = {**common, "user": "op", "ssh_password": password, "become_password": password}
    by_key = {**common, "user": "root", "identity_file": "key", "key_passphrase": passphrase}
    # JSON is YAML.
    (tmp_path / "hosts.yml").write_text(json.dumps({"hosts": {"by_password": by_password, "by_key": by_key}}))
    suite = Suite(lab, tmp_path, environment={"PW": "op-password"})
    done = suite.run("facts", "all", "--json", inventory=str(tmp_path / "hosts.yml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert [facts["hostname"] for facts in json.loads(done.stdout).values()] == ["lab1", "lab1"]
    suite.environment = {"PW": "wrong-password"}
    refused = suite.run("facts", "all", inventory=str(tmp_path / "hosts.yml"))
    assert refused.returncode == 3
    assert "by_password: unreachable" in refused.stderr
    said = (
        "".join(path.read_text() for path in (tmp_path / "state").rglob("*.json*")) + done.stdout + refused.stdout + refused.stderr
    )
    assert not [word for word in ("op-password", "wrong-password", phrase) if word in said]
