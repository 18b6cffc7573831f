"""Puts the delay between this machine and a lab: while it lasts, the hosts are reached through it alone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

from fleet.lab import Lab, machine
from fleet.lab.network import Network

ROOT = Path(__file__).resolve().parents[3]
HOST_PART = 254  # our address behind the delay, beyond any host's


def ip(*words: str) -> None:
    """One command of iproute2."""
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def delayed(lab: Lab, round_trip: float) -> Iterator[Dict[str, Any]]:
    """`round_trip` seconds to every host of the lab; at the end, what the relay carried is in the dictionary."""
    carried: Dict[str, Any] = {}
    if not round_trip:
        yield carried
        return
    number = machine.number(lab.directory)
    assert number is not None
    network = Network(number)
    near, far = f"{network.uplink}n", f"{network.uplink}f"
    argv = [sys.executable, "-m", "tests.bench.provision.delay", near, far, str(round_trip / 2)]
    relay = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"
        ip("link", "set", far, "netns", network.switch)
        ip("-n", network.switch, "link", "set", far, "txqueuelen", "20000", "master", "switch", "up")
        # Else the machine would answer for its address behind the delay on its direct link too.
        Path(f"/proc/sys/net/ipv4/conf/{network.uplink}/arp_ignore").write_text("1")
        ip("link", "set", near, "txqueuelen", "20000", "up")
        ip("address", "add", f"{network.prefix}.{HOST_PART}/32", "dev", near)
        ip("route", "add", f"{network.prefix}.0/25", "dev", near, "src", f"{network.prefix}.{HOST_PART}")
        yield carried
    finally:
        relay.terminate()  # its devices, and with them address and route, go with it
        carried.update(json.loads(relay.communicate()[0] or "{}"))
        Path(f"/proc/sys/net/ipv4/conf/{network.uplink}/arp_ignore").write_text("0")
