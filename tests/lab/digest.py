"""What a host is, as lines that can be held against another time's: every file, every unit, live kernel parameters, packages."""

from __future__ import annotations

from typing import Set

from fleet.lab import Lab

# What a deprovision does not bring back, and why.
EXPLAINED = (
    "/var/lib/rpm",  # package databases keep a history of their own
    "/var/lib/dnf",
    "/var/cache",  # metadata fetched meanwhile
    "/var/log",  # that all of it happened
    "/etc/group-",  # groupadd's and groupdel's own copies of what was there before
    "/etc/gshadow-",
    "/var/lib/systemd",  # random seed, timers' stamps
    "/var/lib/firewalld",
    "/var/tmp",
    "/tmp",
)
SCRIPT = r"""
prune=$(printf ' -path %s -o' "$@")
find / /var/lib -xdev \( $prune -path /run \) -prune -o ! -type d -printf '%y %m %U:%G %p %l\n' -o -printf '%y %m %U:%G %p\n'
find /usr -xdev -type f -printf '%s %T@ %p\n'
find / /var/lib -xdev \( $prune -path /run -o -path /usr \) -prune -o -type f -print0 | xargs -0 sha256sum
systemctl list-unit-files --no-legend --no-pager | awk '{print "unit file", $1, $2}'
systemctl list-units --type=service --state=active --no-legend --no-pager --plain | awk '!/^user/ {print "runs", $1}'
sysctl -a 2>/dev/null | grep -e '^net.ipv4.ip_forward ' -e '^net.bridge'
rpm -qa | sed 's/^/package /'
pgrep -a -f skiff | grep -v -e pgrep -e 'sh -c'
true
"""


def digest(lab: Lab, name: str) -> Set[str]:
    """The lines."""
    done = lab.exec(name, ["sh", "-c", SCRIPT, "sh", *EXPLAINED])
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())
