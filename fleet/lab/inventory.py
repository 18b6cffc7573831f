"""Writes what the suite needs to reach the lab's hosts: keys, known_hosts, and an inventory with the group `lab`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Sequence

import yaml

from fleet.lab import command, host

GROUP = "lab"


def make_keys(lab: Path) -> None:
    """Makes the lab's user key and host key, unless they are there."""
    for name in ("id_ed25519", "ssh_host_ed25519_key"):
        if not (lab / f"{name}.pub").exists():
            aside = lab / f".{name}"
            for left in (aside, lab / f".{name}.pub"):
                left.unlink(missing_ok=True)
            command.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skiff-lab", "-f", str(aside)])
            aside.replace(lab / name)
            (lab / f".{name}.pub").replace(lab / f"{name}.pub")


def write(lab: Path, hosts: Sequence[host.HostStatus]) -> None:
    """Writes known_hosts and inventory.yml."""
    public = (lab / "ssh_host_ed25519_key.pub").read_text().rpartition(" ")[0]
    _replace(lab / "known_hosts", "".join(f"{entry.address} {public}\n" for entry in hosts))
    _replace(lab / "inventory.yml", yaml.safe_dump(document(lab, hosts), sort_keys=False))


def document(lab: Path, hosts: Sequence[host.HostStatus]) -> Dict[str, Any]:
    """The inventory's content."""
    common = {"user": "root", "identity_file": str(lab / "id_ed25519"), "known_hosts": str(lab / "known_hosts")}
    entries = {entry.name: {"address": entry.address, "port": 22, **common} for entry in hosts}
    return {"groups": {GROUP: {"hosts": entries}}}


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}")
    aside.write_text(text)
    os.replace(aside, path)
