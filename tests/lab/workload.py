"""Containers at work on a host, and a client that asks them ten times a second: what an upgrade must not disturb."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
import time
from typing import Any, Dict, Iterator, List, Sequence

from fleet import probe_image
from fleet.lab import HostStatus, Lab

PORT = 8099
WEB = f"skiff run -d --name web --network host {probe_image.REFERENCE} busybox httpd -f -p {PORT} -h /etc"
COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"
LINES = f"skiff run -d --name lines --network none {probe_image.REFERENCE} sh -c '{COUNT}'"
PAUSE = 0.1


def said(lab: Lab, host: str, command: str) -> str:
    """What a command on the host says; it has to succeed."""
    done = lab.exec(host, ["sh", "-c", command], timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Workload:
    """One host's: a server on the host's network, and a container that counts lines."""

    def __init__(self, lab: Lab, host: HostStatus) -> None:
        self._lab = lab
        self.host = host
        image = b"".join(probe_image.at_hand()["x86_64"].chunks())
        done = lab.exec(host.name, ["sh", "-c", "base64 -d | skiff load"], stdin=base64.b64encode(image).decode())
        assert done.returncode == 0, done.stderr
        said(lab, host.name, f"{WEB} && {LINES}")
        self.before = self.processes()
        self.faults: List[str] = []
        self.answers = 0

    def processes(self) -> List[Any]:
        """Each container's process and when it was started."""
        found: List[Dict[str, Any]] = json.loads(said(self._lab, self.host.name, "skiff inspect web lines"))
        return [(one["State"]["Status"], one["State"]["Pid"], one["State"]["StartedAt"], one["RestartCount"]) for one in found]

    def ask(self) -> None:
        """One request, on a connection of its own."""
        connection = http.client.HTTPConnection(self.host.address, PORT, timeout=20)
        try:
            connection.request("GET", "/passwd")
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read().startswith(b"root:"):
                self.faults.append(f"status {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            self.faults.append(repr(error))
        finally:
            connection.close()
        self.answers += 1

    def assert_undisturbed(self) -> None:
        """The same processes, every request answered, every line in the log."""
        assert (self.faults, self.answers > 0) == ([], True)
        assert self.processes() == self.before
        lines = said(self._lab, self.host.name, "skiff logs lines").split("\n")[:-1]
        assert lines == [f"line {number}" for number in range(1, len(lines) + 1)]
        assert len(lines) > 20


@contextlib.contextmanager
def at_work(lab: Lab, hosts: Sequence[HostStatus]) -> Iterator[List[Workload]]:
    """The hosts' workloads, with a client for each until the end."""
    loads = [Workload(lab, host) for host in hosts]
    over = threading.Event()

    def client(load: Workload) -> None:
        while not over.is_set():
            begun = time.monotonic()
            load.ask()
            over.wait(max(0.0, PAUSE - (time.monotonic() - begun)))

    clients = [threading.Thread(target=client, args=(load,)) for load in loads]
    for one in clients:
        one.start()
    try:
        yield loads
    finally:
        over.set()
        for one in clients:
            one.join()
