"""One run of one contender, measured from outside: wall time, its processor time and memory, the hosts' processor time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List

from fleet.lab import Lab
from tests.bench.provision.contenders import Bench, Contender
from tests.bench.provision.hosts import Hosts
from tests.lab.relay import Relay

ACCOUNT = Path(__file__).with_name("account.py")
LIMIT = 600  # seconds
SETTLE = 1.0  # seconds for logind, sshd and the users' managers to end what the run before began


@dataclass(frozen=True)
class Sample:
    """Seconds; `memory` in MB: the largest process, or all processes together where they were looked at."""

    wall: float
    cpu: float
    memory: float
    hosts_cpu: float

    def as_data(self) -> Dict[str, float]:
        """For the JSON document."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def run(contender: Contender, hosts: Hosts, watch: bool = False) -> Sample:
    """A cold run. With `watch` its memory is that of all its processes, at the cost of looking.

    Raises:
        AssertionError: it failed.
    """
    before = hosts.cpu()
    account, writing = os.pipe()
    argv = [sys.executable, "-I", "-S", str(ACCOUNT), str(writing), str(LIMIT), *contender.argv]
    with tempfile.TemporaryFile() as said, open(account) as reading:
        child = subprocess.Popen(
            argv, env=contender.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, pass_fds=(writing,)
        )
        os.close(writing)
        with watched(child.pid) if watch else contextlib.nullcontext([0.0]) as seen:
            child.wait()
        contender.after()
        time.sleep(SETTLE)
        said.seek(0)
        assert child.returncode == 0, f"{contender.name}: {said.read()[-2000:].decode('utf-8', 'replace')}"
        used = json.load(reading)
    return Sample(used["wall"], used["cpu"], max(used["memory"], *seen), hosts.cpu() - before)


@contextlib.contextmanager
def watched(pid: int) -> Iterator[List[float]]:
    """The resident memory in MB of all below a process, looked at ten times a second."""
    seen: List[float] = [0.0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            seen.append(sum(resident(each) for each in family(pid)[1:]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def family(pid: int) -> List[int]:
    """A process and all below it."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):
                found += [int(word) for word in Path(f"/proc/{each}/task/{task}/children").read_text().split()]
    return found


def resident(pid: int) -> float:
    """MB of a process's own: shared pages count in parts."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def count(bench: Bench, lab: Lab, name: str) -> Dict[str, Any]:
    """What no load disturbs, on one host: a run without changes through the counting relay, after one that brought the job."""
    hosts = Hosts(lab, 1)
    (plain,) = bench.contenders(hosts.as_data(), [name])
    hosts.reset()
    run(plain, hosts)
    host = hosts.as_data()[0]
    relay = Relay((host["address"], host["port"]), delay=0.01)
    known = bench.work / "relayed"
    keys = [line.split(None, 1)[1] for line in Path(host["known_hosts"]).read_text().splitlines() if host["address"] in line]
    known.write_text("".join(f"[127.0.0.1]:{relay.port} {key}\n" for key in keys))
    (relayed,) = bench.contenders([{**host, "address": "127.0.0.1", "port": relay.port, "known_hosts": str(known)}], [name])
    before = hosts.journal()
    run(relayed, hosts)
    relay.close()
    seen = hosts.journal()
    return {
        **{key: seen[key] - before[key] for key in seen},
        "round trips": sum(connection.round_trips for connection in relay.connections),
        "bytes": sum(each.to_server.carried + each.to_client.carried for each in relay.connections),
    }
