"""A control machine of its own on a lab's switch, whose power is cut; and the points of a rollout at which its process ends.

A process that is killed still says goodbye: its kernel ends its connections. A machine without power says nothing, and when it
is back its kernel knows of none, while sessions and agents on the hosts may wait for it still.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Dict, List

from fleet.lab import Lab, command, machine
from fleet.lab.network import NETNS, Network

LINK = "control"

# Before the task itself: ends the process at a point, with the machine's power where a command for that is given.
ENDED_AT = """\
import json, os, signal, subprocess
from fleet.exchange.session import Session
from fleet.record import Record
from fleet.rollout.journal import Journal
point = json.loads(os.environ["POINT"])
write, hear, send = Journal.write, Record.hear, Session._send_contents
lines, met = [], []
def end():
    if os.environ.get("CUT"):
        subprocess.run(json.loads(os.environ["CUT"]), check=True)
    os.kill(os.getpid(), signal.SIGKILL)
def meet(event, about=""):
    if lines.count(point["line"]) == point["nth"] and event == point["event"] and about.startswith(point["about"]):
        met.append(about)
        if len(met) == point["count"]:
            end()
def written(self, kind, **fields):
    line = write(self, kind, **fields)
    lines.append(kind)
    meet("")
    return line
def heard(self, event):
    hear(self, event)
    meet(event.kind, str(event.data.get("id", "")))
def sent(self, digests, contents):
    meet("need")
    send(self, digests, contents)
Journal.write, Record.hear, Session._send_contents = written, heard, sent
"""


@dataclass(frozen=True)
class Point:
    """After the process's nth journal line of this kind: at once, or at the count-th event there, of a kind, about a resource.

    The event `need` is no record's: a host asked for contents, and gets none.
    """

    line: str
    nth: int = 1
    event: str = ""
    about: str = ""
    count: int = 1

    def environment(self) -> Dict[str, str]:
        """What ENDED_AT reads."""
        return {"POINT": json.dumps(asdict(self))}


class ControlMachine:
    """It has an address and a hardware address, the same at each boot; `argv` runs a command on it."""

    def __init__(self, lab: Lab) -> None:
        number = machine.number(lab.directory)
        assert number is not None
        self._network = Network(number)
        self._namespace = self._network.namespace(LINK)
        self.power_cut = ["ip", "-n", self._network.switch, "link", "del", "dev", LINK]

    def boot(self) -> None:
        """Starts it; nothing of the time before is left in it."""
        inside, switch = ["ip", "-n", self._namespace], ["ip", "-n", self._network.switch]
        hardware = "02:53:4b:ff:ff:01"
        for line in (
            ["ip", "netns", "add", self._namespace],
            [*inside, "link", "set", "lo", "up"],
            [*switch, "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "address", hardware, "netns", self._namespace],
            [*switch, "link", "set", "dev", LINK, "master", "switch", "up"],
            [*inside, "address", "add", f"{self._network.prefix}.250/24", "dev", "eth0"],
            [*inside, "link", "set", "eth0", "up"],
        ):
            command.run(line)

    def argv(self, words: List[str]) -> List[str]:
        """A command line that runs on it."""
        return ["nsenter", f"--net={NETNS / self._namespace}", *words]

    def off(self) -> None:
        """Takes away what is left of it."""
        self._network.detach(LINK)
