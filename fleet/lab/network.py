"""A lab's network: a switch in a network namespace of its own, joined to the machine by one veth; a namespace and a veth a host.

The bridge is kept out of the machine's own namespace because a container engine there drops bridged frames (FORWARD DROP).
Nothing is remembered: what exists is read from the kernel.

    machine  sk<number> 10.213.<number>.1       ===  uplink on the switch   (namespace skiff-lab-<number>)
    host     host0      10.213.<number>.<10+n>  ===  lab<n> on the switch   (namespace skiff-lab-<number>-lab<n>)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

from fleet.lab import command

NETNS = Path("/run/netns")
Commands = List[List[str]]


class Network:
    """The network of the lab that holds subnet `number`."""

    def __init__(self, number: int) -> None:
        self.switch = f"skiff-lab-{number}"
        self.uplink = f"sk{number}"
        self.prefix = f"10.213.{number}"

    def address(self, index: int) -> str:
        """The address of the n-th host."""
        return f"{self.prefix}.{10 + index}"

    def namespace(self, host: str) -> str:
        """The name of the host's network namespace."""
        return f"{self.switch}-{host}"

    def namespaces(self) -> List[str]:
        """The lab's namespaces that exist."""
        return [
            path.name
            for path in NETNS.glob(f"{self.switch}*")
            if path.name == self.switch or path.name.startswith(f"{self.switch}-")
        ]

    def is_up(self) -> bool:
        """Whether the switch is complete: the machine's address is given last."""
        links = json.loads(command.run(["ip", "-json", "-4", "address"]))
        mine = [link for link in links if link.get("ifname") == self.uplink]
        return any(address["local"] == f"{self.prefix}.1" for link in mine for address in link["addr_info"])

    def up(self) -> None:
        """Makes the switch."""
        _execute(switch_plan(self.switch, self.uplink, self.prefix))

    def attach(self, host: str, index: int) -> None:
        """Makes the host's namespace and its link to the switch."""
        hardware = "02:53:4b:{:02x}:00:{:02x}".format(*map(int, self.address(index).split(".")[2:]))
        _execute(host_plan(self.switch, self.namespace(host), host, f"{self.address(index)}/24", hardware))

    def detach(self, host: str) -> None:
        """Removes the host's link and namespace, whichever exist.

        The kernel takes its time to empty a deleted namespace: a link left to that would stand in the next one's way.
        """
        if (NETNS / self.switch).exists() and any(link["ifname"] == host for link in _links(self.switch)):
            command.run(["ip", "-n", self.switch, "link", "del", "dev", host])
        if (NETNS / self.namespace(host)).exists():
            command.run(["ip", "netns", "del", self.namespace(host)])

    def set_link(self, host: str, state: str) -> None:
        """Sets the switch's end of the host's link "up" or "down"."""
        command.run(["ip", "-n", self.switch, "link", "set", "dev", host, state])

    def down(self) -> None:
        """Removes the machine's link and every namespace of the lab, whichever exist."""
        if (Path("/sys/class/net") / self.uplink).exists():
            command.run(["ip", "link", "del", "dev", self.uplink])
        for name in self.namespaces():
            command.run(["ip", "netns", "del", name])


def _links(namespace: str) -> List[Dict[str, str]]:
    links: List[Dict[str, str]] = json.loads(command.run(["ip", "-n", namespace, "-json", "link"]))
    return links


def switch_plan(switch: str, uplink: str, prefix: str) -> Commands:
    """The commands that make a switch, the machine's address last."""
    inside = ["ip", "-n", switch]
    return [
        ["ip", "netns", "add", switch],
        ["ip", "netns", "exec", switch, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"],
        [*inside, "link", "add", "switch", "type", "bridge", "forward_delay", "0"],
        [*inside, "link", "set", "switch", "up"],
        ["ip", "link", "add", uplink, "type", "veth", "peer", "name", "uplink", "netns", switch],
        [*inside, "link", "set", "uplink", "master", "switch", "up"],
        ["ip", "link", "set", uplink, "up"],
        ["ip", "address", "add", f"{prefix}.1/24", "dev", uplink],
    ]


def host_plan(switch: str, namespace: str, host: str, address: str, hardware: str) -> Commands:
    """The commands that make a host's namespace and join it to the switch.

    A host keeps its hardware address over restarts; else its neighbours would send to the old one for a minute.
    """
    inside = ["ip", "-n", namespace]
    return [
        ["ip", "netns", "add", namespace],
        [*inside, "link", "set", "lo", "up"],
        ["ip", "-n", switch, "link", "add", host, "type", "veth", "peer", "name", "host0", "address", hardware, "netns", namespace],
        ["ip", "-n", switch, "link", "set", "dev", host, "master", "switch", "up"],
        [*inside, "address", "add", address, "dev", "host0"],
        [*inside, "link", "set", "host0", "up"],
    ]


def _execute(plan: Commands) -> None:
    for argv in plan:
        command.run(argv)
