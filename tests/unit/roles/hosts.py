"""Hosts and variables as the roles see them: a plain CentOS Stream 9 with every default, changed key by key."""

from __future__ import annotations

import copy
from typing import Any, Dict

from fleet.content import Content
from fleet.facts import Facts
from fleet.roles import ORDER
from fleet.roles.defaults import read_defaults
from fleet.roles.loader import BUILT_IN
from fleet.variables import Variables

BUNDLE = Content.of(b"bundle")
IMAGE = Content.of(b"image")
RAW: Dict[str, Any] = {
    "hostname": "web1",
    "os": {"id": "centos", "id_like": ["rhel", "fedora"], "version_id": "9", "pretty_name": "CentOS Stream 9"},
    "kernel": "5.14.0-503.el9.x86_64",
    "arch": "x86_64",
    "pythons": [{"path": "/usr/bin/python3", "version": [3, 9, 21]}],
    "package_manager": "dnf",
    "cgroup": "v2",
    "overlay": True,
    "br_netfilter": True,
    "sysctls": {"user.max_user_namespaces": "30923"},
    "systemd": True,
    "virtualisation": "kvm",
    "selinux": {"mode": "enforcing", "file": "enforcing"},
    "firewalld": {"installed": True},
    "storage": [
        {"path": "/var/lib", "type": "xfs", "ftype": True, "free": 40 * 10**9, "size": 50 * 10**9},
        {"path": "/opt", "type": "ext4", "ftype": None, "free": 40 * 10**9, "size": 50 * 10**9},
    ],
    "memory": 8 << 30,
    "cpus": 2,
    "docker": {"unit": False, "socket": "absent", "compat": False, "managed": False, "root": None},
}
RELEASES: Dict[str, Dict[str, Any]] = {
    "7": {
        "os": {"id": "centos", "version_id": "7", "pretty_name": "CentOS Linux 7 (Core)"},
        "kernel": "3.10.0-1160.el7.x86_64",
        "pythons": [{"path": "/usr/bin/python3", "version": [3, 6, 8]}],
        "package_manager": "yum",
    },
    "8": {
        "os": {"version_id": "8", "pretty_name": "CentOS Stream 8"},
        "kernel": "4.18.0-553.el8.x86_64",
        "pythons": [{"path": "/usr/libexec/platform-python", "version": [3, 6, 8]}],
    },
    "10": {
        "os": {"version_id": "10", "pretty_name": "CentOS Stream 10"},
        "kernel": "6.12.0-55.el10.x86_64",
        "pythons": [{"path": "/usr/libexec/platform-python", "version": [3, 12, 9]}],
    },
    "debian": {"os": {"id": "debian", "id_like": [], "version_id": "12", "pretty_name": "Debian GNU/Linux 12 (bookworm)"}},
    "rocky": {
        "os": {"id": "rocky", "id_like": ["rhel", "centos", "fedora"], "version_id": "9.5", "pretty_name": "Rocky Linux 9.5"}
    },
}


def facts(release: str = "9", **changes: Any) -> Facts:
    """A host's facts; a mapping among the changes is merged into the one that is there."""
    raw = copy.deepcopy(RAW)
    for change in (RELEASES.get(release, {}), changes):
        for key, value in change.items():
            raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    return Facts.from_wire(raw)


def variables(**changes: Any) -> Variables:
    """Every default, and the run's own inputs."""
    values: Dict[str, Any] = {"bundle": BUNDLE, "bundle_version": "1.2.3", "probe_images": {"x86_64": IMAGE}, "rpms": ()}
    for role in ORDER:
        declared = read_defaults(role, BUILT_IN / role / "defaults.yml")
        values.update({name: variable.default for name, variable in declared.items()})
    unknown = changes.keys() - values.keys()
    assert not unknown, f"no role declares {unknown}"
    return Variables({**values, **changes})
