"""skiffd killed at any moment of containers' lives: it comes back, every container can be dealt with, nothing is left behind."""

from __future__ import annotations

import random
import signal
import threading
import time

import pytest

from tests.contract.daemons import Daemon, wait_until
from tests.contract.traces import traces

LIVES = (
    ("run", "--rm", "--network", "none", "busybox", "echo", "x"),
    ("run", "-d", "--network", "none", "busybox", "sh", "-c", "sleep 0.2"),
    ("run", "-d", "--rm", "--network", "none", "-m", "32m", "busybox", "sleep", "1000"),
    ("run", "-d", "--network", "none", "busybox", "sleep", "1000"),
)


def live(daemon: Daemon, ended: threading.Event, dice: random.Random) -> None:
    """Commands one after the other; what they answer while the daemon dies is not the point."""
    while not ended.is_set():
        daemon.skiff(*dice.choice(LIVES))
        for name in daemon.skiff("ps", "-aq").stdout.split()[:2]:
            daemon.skiff(dice.choice(("rm", "stop", "kill")), name)


@pytest.mark.parametrize("seed", range(6))
def test_a_daemon_that_is_killed_comes_back(loaded: Daemon, seed: int) -> None:
    clean = traces(loaded)
    dice, ended = random.Random(seed), threading.Event()
    lives = [threading.Thread(target=live, args=(loaded, ended, random.Random(seed + 100 * n))) for n in range(3)]
    for one in lives:
        one.start()
    time.sleep(0.3 + dice.random())
    loaded.kill(signal.SIGKILL)
    ended.set()
    for one in lives:
        one.join()
    loaded.start()
    for container in loaded.client.call("GET", "/containers/json?all=1"):
        loaded.client.call("GET", f"/containers/{container['Id']}/json")
        loaded.skiff("rm", "-f", container["Id"])
    wait_until(lambda: loaded.client.call("GET", "/containers/json?all=1") == [])
    assert loaded.skiff("run", "--rm", "--network", "none", "busybox", "echo", "well").stdout == "well\n"
    wait_until(lambda: traces(loaded) == clean)
