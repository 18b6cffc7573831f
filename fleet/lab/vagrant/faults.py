"""What to do about the errors that Vagrant and its plugins end with, by their class."""

from __future__ import annotations

import re
import shlex
from typing import Sequence

from fleet.errors import FleetError

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EARLY = "Vagrant failed to initialize at a very early stage:"
BOX = "See whether `box` in inventory/lab.yml has this provider; `box_url` there names a file or an address of your own."
CURES = {
    "ProviderNotUsable": "Install what the provider needs, as docs/guides/vagrant.md tells, or choose another by --provider.",
    "FogLibvirtConnectionError": (
        "Start libvirt: systemctl start libvirtd\n"
        "Or let yourself use it: usermod -aG libvirt USER, then log in anew; `virsh -c qemu:///system list` shows it."
    ),
    "ActiveMachineWithDifferentProvider": "End those machines first: ./inv lab.down",
    "BoxAddShortNotFound": BOX,
    "BoxAddNoMatchingProvider": BOX,
    "BoxMetadataDownloadError": BOX,
    "DownloaderError": BOX,
    "VMBootTimeout": "A machine that is emulated takes minutes to boot: run this again, which goes on where it stopped.",
    "MachineActionLockedError": "Wait for the other vagrant to end, or end it; then run this again.",
}
PLUGINS = {
    "libvirt": "apt-get install vagrant-libvirt libvirt-daemon-system, or: vagrant plugin install vagrant-libvirt",
    "vmware_desktop": "Install the Vagrant VMware Utility, then: vagrant plugin install vagrant-vmware-desktop",
}


def half_made(ended: Sequence[str]) -> bool:
    """Whether a vagrant met what a killed one had asked libvirt for, which came after the Vagrantfile had looked for such."""
    kind = ended[0].rpartition("::")[2]
    return kind in ("DomainNameExists", "DomainVolumeExists") or (kind == "FogCreateServerError" and "already exists" in ended[-1])


def explain(words: Sequence[str], ended: Sequence[str]) -> FleetError:
    """The error of a vagrant that ended with a class, "" where it told none, and a message."""
    kind, message = ended[0].rpartition("::")[2], COLOUR.sub("", ended[-1])
    lines = [line for line in message.splitlines() if line.strip() and line.strip() != EARLY]
    cure = CURES.get(kind, "")
    if kind.startswith("ProviderNotFound"):
        cure = next((cure for provider, cure in PLUGINS.items() if provider in words), "Choose another by --provider.")
    return FleetError(f"vagrant {shlex.join(words)} failed.", "\n".join(lines), cure)
