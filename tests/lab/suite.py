"""The suite's tasks run against lab hosts, as a person would run them, and what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from fleet.lab import HostSpec, Lab

ROOT = Path(__file__).resolve().parents[2]
RUN = "from invoke.main import program; import sys; sys.exit(program.run())"

# A role of a user's own with a resource of each cheap kind; its command counts the restarts that the file called for.
OWN_ROLE = """\
from fleet.content import Content
from fleet.resources import Command, Directory, File, Handler, Link, Template

COUNT = "echo again >> /var/lib/own/count"

def resources(facts, variables):
    return [
        Directory("/var/lib/own"),
        File("/var/lib/own/a", Content.of(variables.string("word").encode() * 1000)),
        Template("/var/lib/own/b", "b.j2", {"word": variables.string("word"), "host": facts.hostname}),
        Link("/var/lib/own/c", "a"),
        Handler(Command("count", ("sh", "-c", COUNT)), ("file:/var/lib/own/a",)),
    ]
"""
OWN_DEFAULTS = "word: {type: string, default: hello, help: What the files say.}\n"


def own_roles(directory: Path) -> Path:
    """A directory of roles with the one above, named own."""
    role = directory / "roles" / "own"
    (role / "templates").mkdir(parents=True)
    (role / "role.py").write_text(OWN_ROLE)
    (role / "defaults.yml").write_text(OWN_DEFAULTS)
    (role / "templates" / "b.j2").write_text("{{ word }} from {{ host }}\n")
    return directory / "roles"


@dataclass
class Suite:
    """Runs tasks with a state directory of their own. `options` go to every task."""

    lab: Lab
    directory: Path
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, task: str, *words: str, code: str = RUN) -> List[str]:
        return [sys.executable, "-c", code, "--search-root", str(ROOT), task, *words, *self.options]

    def env(self) -> Dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SKIFF_", "SSH_"))}
        # Keys and known hosts of the person who runs the tests stay out of it.
        own = {"XDG_STATE_HOME": str(self.directory / "state"), "HOME": str(self.directory), "PYTHONPATH": str(ROOT)}
        return {**clean, **own, **self.environment}

    def run(self, task: str, hosts: str, *words: str, inventory: str = "", code: str = RUN) -> subprocess.CompletedProcess[str]:
        where = ("--inventory", inventory or str(self.lab.inventory))
        argv = self.argv(task, "--hosts", hosts, *where, *words, code=code)
        return subprocess.run(argv, capture_output=True, text=True, env=self.env(), cwd=self.directory, timeout=300)

    def document(self, task: str, hosts: str, *words: str, **options: str) -> Dict[str, Any]:
        """A run's outcomes by host, with the exit status under `status`."""
        done = self.run(task, hosts, *words, "--json", **options)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout)["hosts"], "status": done.returncode}

    def events(self) -> List[Dict[str, Any]]:
        """The last run's record."""
        last = max((self.directory / "state" / "skiff" / "runs").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(line) for line in last.read_text().splitlines()]


@contextlib.contextmanager
def provisioned(lab: Lab, directory: Path, names: Sequence[str], number: int) -> Iterator[None]:
    """Hosts of one's own as declared, with addresses from a number on; removed at the context's end."""
    try:
        lab.boot([HostSpec(name, number + index) for index, name in enumerate(names)])
        done = Suite(lab, directory).run("provision", ",".join(names))
        assert done.returncode == 0, done.stdout + done.stderr
        yield
    finally:
        for name in names:
            lab.remove(name)


def changed(outcome: Mapping[str, Any]) -> List[str]:
    """The ids of what a run changed on a host."""
    return [result["id"] for result in outcome["results"] if result["status"] == "changed"]


def planned(outcome: Mapping[str, Any]) -> List[str]:
    """The ids of what a plan would change on a host."""
    return [change["id"] for change in outcome["plan"]["changes"]]


def journal(lab: Lab, host: str) -> List[str]:
    """What the host's sshd said."""
    return lab.exec(host, ["journalctl", "-q", "-o", "cat", "-t", "sshd", "-t", "sshd-session"]).stdout.splitlines()
