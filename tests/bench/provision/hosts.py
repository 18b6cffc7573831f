"""The lab's hosts as the benchmark sees them: reset, asked for a proof of the job, their CPU time and journal."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List

from fleet.lab import Lab, machine
from fleet.lab.cgroups import Cgroups
from tests.bench.provision import job

PARALLEL = 4


class Hosts:
    """The first `count` hosts of a lab."""

    def __init__(self, lab: Lab, count: int) -> None:
        self.lab = lab
        self.statuses = lab.status()[:count]
        assert len(self.statuses) == count
        number = machine.number(lab.directory)
        assert number is not None
        self._groups = [Cgroups(number, status.name) for status in self.statuses]

    @property
    def names(self) -> List[str]:
        """Their names."""
        return [status.name for status in self.statuses]

    def as_data(self) -> List[Dict[str, Any]]:
        """How each is reached."""
        return [
            {
                "name": status.name,
                "address": status.address,
                "port": 22,
                "key": str(self.lab.identity),
                "known_hosts": str(self.lab.known_hosts),
            }
            for status in self.statuses
        ]

    def reset(self) -> None:
        """Each as it was before the job."""
        self._each(lambda name: self.lab.exec(name, ["sh", "-c", job.RESET], timeout=300))

    def prove(self) -> List[str]:
        """When the job's unit began to run, host by host.

        Raises:
            AssertionError: a host is not as the job says.
        """
        found = self._each(lambda name: self.lab.exec(name, ["sh", "-xc", job.PROOF]))
        for name, done in zip(self.names, found):
            assert done.returncode == 0, f"{name}: {done.stderr[-600:]}"
        return [done.stdout.strip() for done in found]

    def cpu(self) -> float:
        """Seconds of processor time that all have used since they began."""
        return sum(used(group) for group in self._groups)

    def journal(self) -> Dict[str, int]:
        """Connections, execs and SFTP sessions that the first host has seen since its start."""
        said = self.lab.exec(self.names[0], ["journalctl", "-q", "-o", "cat", "-t", "sshd"]).stdout.splitlines()
        return {
            "connections": sum(line.startswith("Connection from") for line in said),
            "execs": sum(line.startswith("Starting session: command") for line in said),
            "sftp": sum(line.startswith("Starting session: subsystem 'sftp'") for line in said),
        }

    def _each(self, action: Any) -> List[Any]:
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(action, self.names))


def used(group: Cgroups) -> float:
    """Seconds of processor time of a host's cgroup."""
    for directory in group.directories():
        if (directory / "cpuacct.usage").exists():
            return int((directory / "cpuacct.usage").read_text()) / 1e9
    for directory in group.directories():
        if (directory / "cpu.stat").exists():
            fields = dict(line.split() for line in (directory / "cpu.stat").read_text().splitlines())
            return int(fields["usage_usec"]) / 1e6
    raise AssertionError("no controller counts the hosts' processor time")


def write(path: Path, value: Any) -> Path:
    """A JSON file for a contender."""
    path.write_text(json.dumps(value))
    return path
