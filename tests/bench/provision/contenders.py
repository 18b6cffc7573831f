"""Who does the job: the command of each, with its inventory and environment. Every run is a cold process with cold connections."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from tests.bench.provision import job
from tests.bench.provision.hosts import write

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LOCK = HERE / "peers" / "peers.lock"
PEERS = ROOT / ".venv-peers"
SKIFF, IDEAL, PYINFRA, ANSIBLE = "Skiff", "ideal", "pyinfra", "Ansible"


@dataclass(frozen=True)
class Contender:
    """One way to do the job. `after` ends what the command left running."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    after: Callable[[], None] = lambda: None


def peers() -> Path:
    """The peers' own environment, made on first use from the lock file."""
    stamp = PEERS / "lock.stamp"
    if not stamp.exists() or stamp.read_text() != LOCK.read_text():
        venv.create(PEERS, clear=True, with_pip=True)
        pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(LOCK)], check=True)
        stamp.write_text(LOCK.read_text())
    return PEERS / "bin"


class Bench:
    """The files of a run of the benchmark, below `work`."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.archive = work / "archive.tar.gz"
        self.archive.write_bytes(job.archive())
        data = self.archive.read_bytes()
        sent = {"built": str(self.archive), "sha256": hashlib.sha256(data).hexdigest(), "archive_size": len(data)}
        self.job = write(work / "job.json", {**job.words(), **sent})
        # Byte code is written, as on any machine; nobody's own settings come in.
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        self._environment = {**kept, "HOME": str(work), "BENCH_JOB": str(self.job), "BENCH_ARCHIVE": str(self.archive)}

    def contenders(self, hosts: List[Dict[str, Any]], names: Sequence[str]) -> List[Contender]:
        """Those of the names, for these hosts."""
        made = {SKIFF: self._skiff, IDEAL: self._ideal, PYINFRA: self._pyinfra, ANSIBLE: self._ansible}
        return [made[name](hosts) for name in names]

    def _skiff(self, hosts: List[Dict[str, Any]]) -> Contender:
        settings = {
            host["name"]: {
                **{key: host[key] for key in ("address", "port", "known_hosts")},
                "identity_file": host["key"],
                "user": "root",
            }
            for host in hosts
        }
        inventory = write(self.work / "skiff.yml", {"hosts": settings})
        argv = [str(ROOT / "inv"), "provision", "--hosts", "all", "--inventory", str(inventory), "--roles", "bench"]
        environment = {"XDG_STATE_HOME": str(self.work / "state"), "PYTHONPATH": str(ROOT)}
        return Contender(SKIFF, [*argv, "--role-path", str(HERE / "roles")], {**self._environment, **environment})

    def _ideal(self, hosts: List[Dict[str, Any]]) -> Contender:
        script = HERE / "peers" / "ideal.py"
        argv = [sys.executable, str(script), str(self.job), str(self.archive), str(write(self.work / "hosts.json", hosts))]
        return Contender(IDEAL, argv, self._environment)

    def _pyinfra(self, hosts: List[Dict[str, Any]]) -> Contender:
        given = [
            (
                host["address"],
                {
                    "ssh_user": "root",
                    "ssh_port": host["port"],
                    "ssh_key": host["key"],
                    "ssh_known_hosts_file": host["known_hosts"],
                    "ssh_strict_host_key_checking": "yes",
                    "ssh_look_for_keys": False,
                },
            )
            for host in hosts
        ]
        inventory = self.work / "pyinfra_hosts.py"
        inventory.write_text(f"hosts = {given!r}\n")
        argv = [str(peers() / "pyinfra"), "-y", "--parallel", str(len(hosts)), str(inventory)]
        return Contender(PYINFRA, [*argv, str(HERE / "peers" / "deploy.py")], self._environment)

    def _ansible(self, hosts: List[Dict[str, Any]]) -> Contender:
        lines = [
            f"{host['name']} ansible_host={host['address']} ansible_port={host['port']} ansible_user=root "
            f"ansible_ssh_private_key_file={host['key']} ansible_python_interpreter=/usr/bin/python3"
            for host in hosts
        ]
        inventory = self.work / "ansible.ini"
        inventory.write_text("\n".join(lines) + "\n")
        control = self.work / "cp"
        control.mkdir(exist_ok=True)
        environment = {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_FORKS": "50",
            "ANSIBLE_HOST_KEY_CHECKING": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control),
            "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={hosts[0]['known_hosts']}",
        }

        def end_masters() -> None:
            for path in control.iterdir():
                subprocess.run(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "-q", "host"], check=False, capture_output=True)

        argv = [str(peers() / "ansible-playbook"), "-i", str(inventory), "-e", f"@{self.job}", str(HERE / "peers" / "playbook.yml")]
        return Contender(ANSIBLE, argv, {**self._environment, **environment}, end_masters)
