"""A thousand simulated hosts: what a host costs the control side, from a hundred to a thousand.

    .venv/bin/python -m tests.bench.thousand --hosts 100,1000

One lab host answers at all addresses of a subnet. Its second sshd gives each address a scratch root of its own: the agent's
directory, its lock and what the job writes. The job is files only, so that the simulated hosts do not meet in one systemd.
A few minutes on two cores; the hosts' share of the processors is in the wall time, and is told beside it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, List

from fleet.lab import Lab, machine
from tests.bench.provision import measure
from tests.bench.provision.contenders import ROOT, Contender
from tests.bench.provision.hosts import Hosts, write

SUBNET = "10.214"
PORT = 2222
# Run as the command of every session: the address that was called is the host.
SCRATCH = """\
#!/bin/sh
set -- $SSH_CONNECTION
for place in /var/lib/skiff-agent /run /etc/simulated; do mkdir -p -m 700 /var/lib/simulated/$3$place $place; done
exec unshare --mount sh -c '
for place in /var/lib/skiff-agent /run /etc/simulated; do mount --bind /var/lib/simulated/$0$place $place; done
eval "$SSH_ORIGINAL_COMMAND"' $3
"""
ROLE = """\
from fleet.content import Content
from fleet.resources import File

def resources(facts, variables):
    return [File(f"/etc/simulated/{number}", Content.of(b"%d " % number * 500)) for number in range(20)]
"""
PREPARED = (
    # A firewalld that is stopped while it starts leaves its rules.
    "systemctl stop firewalld && (nft delete table inet firewalld 2>/dev/null || true) && mkdir -p /etc/simulated && "
    "chmod 755 /usr/local/sbin/scratch && ip route replace local {net}.0.0/16 dev lo"
)
SSHD = "systemd-run -q --unit=simulated /usr/sbin/sshd -D -p {port} -o UsePAM=no -o ForceCommand=/usr/local/sbin/scratch"


def addresses(count: int) -> Iterator[str]:
    """The simulated hosts' addresses."""
    for number in range(count):
        yield f"{SUBNET}.{number // 250}.{number % 250 + 1}"


def simulate(lab: Lab) -> str:
    """Makes the lab's first host answer at every address; the way to it."""
    (status,) = lab.up(1)
    lab.exec(status.name, ["tee", "/usr/local/sbin/scratch"], stdin=SCRATCH)
    for command in (PREPARED.format(net=SUBNET), SSHD.format(port=PORT)):
        done = lab.exec(status.name, ["sh", "-c", command])
        assert done.returncode == 0, done.stderr
    number = machine.number(lab.directory)
    subprocess.run(["ip", "route", "replace", f"{SUBNET}.0.0/16", "via", status.address, "dev", f"sk{number}"], check=True)
    return status.address


def contender(work: Path, lab: Lab, count: int) -> Contender:
    """`./inv provision` of the first hosts."""
    line = lab.known_hosts.read_text().splitlines()[0].split(None, 1)[1]
    (work / "known").write_text("".join(f"[{address}]:{PORT} {line}\n" for address in addresses(count)))
    shared = {"port": PORT, "user": "root", "identity_file": str(lab.identity), "known_hosts": str(work / "known")}
    hosts = {f"s{number}": {"address": address} for number, address in enumerate(addresses(count))}
    inventory = write(work / f"{count}.yml", {"vars": shared, "hosts": hosts})
    (work / "roles" / "simulated").mkdir(parents=True, exist_ok=True)
    (work / "roles" / "simulated" / "role.py").write_text(ROLE)
    argv = [str(ROOT / "inv"), "provision", "--hosts", "all", "--inventory", str(inventory)]
    argv += ["--role-path", str(work / "roles"), "--roles", "simulated"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "XDG_STATE_HOME": str(work / "state")}
    return Contender("Skiff", argv, environment)


def main() -> int:
    """The benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.thousand", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", default="100,1000", help="how many, separated by commas")
    parser.add_argument("--lab", default="bench-thousand", help="the lab's name")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was brought up is taken down again
    lab = Lab(given.lab)
    lines: List[str] = [
        "| hosts | run | wall s | ms a host | control CPU ms a host | host CPU ms a host | MB |",
        "|" + " --- |" * 7,
    ]
    with tempfile.TemporaryDirectory(prefix="skiff-bench-") as work:
        try:
            simulate(lab)
            for count in [int(word) for word in given.hosts.split(",")]:
                lab.exec("lab1", ["rm", "-rf", "/var/lib/simulated"], timeout=300)
                for phase in ("first", "no change"):
                    found = measure.run(contender(Path(work), lab, count), Hosts(lab, 1))
                    cells = [str(count), phase, f"{found.wall:.1f}"]
                    cells += [f"{seconds * 1000 / count:.1f}" for seconds in (found.wall, found.cpu, found.hosts_cpu)]
                    lines.append("| " + " | ".join([*cells, f"{found.memory:.0f}"]) + " |")
                    sys.stderr.write(lines[-1] + "\n")
        finally:
            subprocess.run(["ip", "route", "del", f"{SUBNET}.0.0/16"], check=False)
            lab.down()
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
