from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest
from invoke.collection import Collection

import tasks
from fleet.run.task import secret

ROOT = Path(__file__).resolve().parents[3]
WATCH = """\
import sys
def hook(event, arguments):
    if event in ("socket.connect", "subprocess.Popen", "socket.getaddrinfo"):
        sys.stderr.write(f"connects: {event} {arguments}\\n")
sys.addaudithook(hook)
from invoke import Program
Program(name="invoke", binary="invoke").run(["invoke", "--search-root", %r, *sys.argv[1:]])
"""


def invoke(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", WATCH % str(ROOT), *words]
    return subprocess.run(argv, capture_output=True, text=True, cwd="/", env={**os.environ, **environment}, start_new_session=True)


def every_task(collection: Collection = tasks.ns, prefix: str = "") -> Iterator[Tuple[str, object]]:
    for name, task in collection.tasks.items():
        yield prefix + name, task
    for name, below in collection.collections.items():
        yield from every_task(below, f"{name}.")


TASKS: Dict[str, object] = dict(every_task())


def test_every_task_is_there() -> None:
    lab, test = {"lab.up", "lab.down", "lab.status", "lab.ssh"}, {"test.all", "test.long", "test.vm"}
    inventory = {"inventory.list", "inventory.graph", "inventory.show", "inventory.schema"}
    secrets = {f"secrets.{name}" for name in ("keygen", "encrypt", "decrypt", "edit", "rekey")}
    runs = {"runs.list", "runs.show", "report", "resume"}
    alone = {"provision", "plan", "apply", "verify", "facts", "version", "info", "restore", "deprovision", "bundle", "demo", "lint"}
    alone |= {"exec", "ps", "logs", "images.push", "reference", "upgrade", "rollback", "versions"}
    pull = {f"pull.{name}" for name in ("install", "key", "publish", "remove", "status")}
    assert set(TASKS) == alone | inventory | lab | pull | runs | secrets | test


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_no_automatic_short_flag_and_helps_in_full(name: str) -> None:
    task = TASKS[name]
    arguments = task.get_arguments()  # type: ignore[attr-defined] # Invoke's task
    assert all(len(flag) > 1 for argument in arguments for flag in argument.names)
    assert all(argument.help for argument in [*arguments, *task.get_arguments()])  # type: ignore[attr-defined] # asked again
    assert "Example: ./inv " in (task.__doc__ or "")


# Both forms of the same word go the same way through Invoke: each task is asked with one, and provision with both.
@pytest.mark.parametrize(("name", "flag"), [("provision", "-h"), *((name, "--help") for name in TASKS)])
def test_asking_for_help_never_connects(name: str, flag: str) -> None:
    done = invoke(name, flag)
    assert done.returncode == 0
    assert "Docstring:" in done.stdout
    assert "connects:" not in done.stderr


def test_help_among_other_options_never_connects() -> None:
    done = invoke("provision", "--hosts", "root@127.0.0.1:1", "-h")
    assert "connects:" not in done.stderr


def test_the_watch_sees_a_connect(tmp_path: Path) -> None:
    done = invoke("facts", "--hosts", "root@127.0.0.1:1", "--timeout", "1", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 3
    assert "connects: socket.connect" in done.stderr


USAGE: List[Tuple[List[str], str]] = [
    (["provision"], "--hosts is missing"),
    (["provision", "--hosts", "nowhere"], "matches no host and no group"),
    (["provision", "--hosts", "localhost", "--roles", "kernl"], "did you mean 'kernel'?"),
    (["provision", "--hosts", "localhost", "--set", "firewalld"], "should be key=value"),
    (["provision", "--hosts", "localhost", "--set", "firewald=kept"], "did you mean 'firewalld'?"),
    (["provision", "--hosts", "localhost", "--set", "firewalld=1"], "--set firewalld: should be a string, not 1"),
    (["provision", "--hosts", "localhost", "--set", "firewalld=[x"], "--set firewalld: is not YAML"),
    (
        ["provision", "--hosts", "localhost", "--host-key-policy", "none"],
        "--host-key-policy: should be one of strict, accept-new, off",
    ),
    (["provision", "--hosts", "localhost", "--forks", "-1"], "--forks: should be a whole number of at least 1, not '-1'"),
    (["provision", "--hosts", "localhost", "--forks", "many"], "--forks: should be a whole number of at least 1, not 'many'"),
    (["facts", "--hosts", "root@127.0.0.1:1", "--timeout", "nan"], "--timeout: should be a whole number of at least 1, not 'nan'"),
    (["lab.up", "--provider", "docker"], "--provider: 'docker' is none of libvirt, virtualbox, vmware_desktop, hyperv."),
    (["lab.up", "--provider", "libvirt", "--count", "1"], "--count is for the hosts that run on this machine alone."),
    (["lab.up", "--provider", "libvirt", "--name", "mine"], "--name is for the hosts that run on this machine alone."),
    (["lab.up", "--count", "some"], "--count: should be a whole number of at least 1, not 'some'"),
    (
        ["facts", "--hosts", "root@127.0.0.1:1", "--ask-key-passphrase"],
        "there is no terminal to ask for the passphrase of the SSH key on",
    ),
    (["facts", "--hosts", "localhost", "--connect-timeout", "0"], "--connect-timeout: should be a whole number of at least 1"),
    (["facts", "--hosts", "localhost", "--engine", "dask"], "--engine: 'dask' is no engine"),
    (["facts", "--hosts", "localhost", "--engine", "dask://x:y"], "--engine: 'dask://x:y'"),
    (["facts", "--hosts", "root@127.0.0.1:1", "--ask-pass"], "there is no terminal to ask for the SSH password on"),
    (["provision", "--hosts", "localhost", "--timeout", "0"], "--timeout: should be a whole number of at least 1, not '0'"),
    (
        ["provision", "--hosts", "localhost", "--lock-timeout", "-1"],
        "--lock-timeout: should be a whole number of at least 0, not '-1'",
    ),
    (["plan", "--hosts", "localhost", "--role-path", "/nowhere"], "--role-path: /nowhere is no directory"),
    (["facts", "--hosts", "localhost", "--inventory", "/nowhere.yml"], "nowhere.yml: cannot be read"),
    (["provision", "--hosst", "x"], "--hosst"),
    (["provision", "--hosts", "@failed"], "there is no last run in"),
    (["verify", "--hosts", "localhost", "--json", "--tap"], "--json and --tap both want standard output"),
    (["verify", "--hosts", "localhost", "--junit", "/nowhere/x.xml"], "--junit: /nowhere/x.xml cannot be written"),
    (["verify", "--hosts", "localhost", "--html", "/nowhere/x.html"], "--html: /nowhere/x.html cannot be written"),
    (["verify", "--hosts", "localhost", "--only", "clok"], "did you mean 'clock'?"),
    (["verify", "--hosts", "localhost", "--severity", "bad"], "--severity: should be one of info, warning, critical"),
    (["verify", "--hosts", "localhost", "--watch", "often"], "--watch: should be a whole number of at least 1, not 'often'"),
    (["verify", "--hosts", "localhost", "--watch", "--tap"], "--watch goes on"),
    (["runs.show"], "there is no run yet in"),
    (["runs.show", "20260101"], "there is no run yet in"),
    (["report", "20260101", "--out", "/nowhere/x.html"], "there is no run yet in"),
]


@pytest.mark.parametrize(("words", "message"), USAGE)
def test_wrong_usage_is_told_with_status_1_before_anything_is_connected_to(words: List[str], message: str, tmp_path: Path) -> None:
    done = invoke(*words, XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert "connects: socket.connect" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_unreachable_hosts_alone_give_status_3_and_json_on_standard_output(tmp_path: Path) -> None:
    done = invoke("plan", "--hosts", "root@127.0.0.1:1", "--json", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 3
    (host,) = json.loads(done.stdout)["hosts"].values()
    assert host["state"] == "unreachable"
    assert "127.0.0.1 port 1 refuses connections" in host["faults"][0]["brief"]


def test_ctrl_c_before_the_run_gives_status_130(tmp_path: Path) -> None:
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "role.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = invoke("plan", "--hosts", "root@127.0.0.1:1", "--role-path", str(tmp_path), XDG_STATE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


def test_an_empty_password_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIFF_BECOME_PASSWORD", "")
    assert secret("SKIFF_BECOME_PASSWORD", False, "") is None


def test_a_reader_that_leaves_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("hosts: {here: {connection: local, become: false}}\n")
    argv = [sys.executable, "-c", WATCH % str(ROOT), "facts", "--hosts", "here", "--inventory", str(tmp_path / "own.yml")]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        argv, stdout=writer, stderr=subprocess.PIPE, text=True, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    )
    os.close(writer)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "skiff" / "runs" / "last.json").read_text())["hosts"]["here"]["state"] == "ok"


@pytest.mark.parametrize("words", [["--list"], ["provision", "--help"]])
def test_a_look_at_the_tasks_imports_nothing_slow(words: List[str]) -> None:
    watch = "import atexit, sys; atexit.register(lambda: sys.stderr.write('modules: ' + ' '.join(sys.modules)))\n"
    done = subprocess.run([sys.executable, "-c", watch + WATCH % str(ROOT), *words], capture_output=True, text=True, cwd="/")
    modules = done.stderr.rpartition("modules: ")[2].split()
    assert "invoke" in modules
    assert not {"paramiko", "fabric", "jinja2", "rich", "fleet.lab"} & set(modules)
