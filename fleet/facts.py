"""What a host is, as its agent found it: read by roles, never changed by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Interpreter:
    """A Python found on the host: its path and version as (major, minor, micro)."""

    path: str
    version: Tuple[int, int, int]


@dataclass(frozen=True)
class FileSystem:
    """The file system that holds a path of interest.

    `ftype` is xfs's directory entry type flag (None elsewhere); sizes in bytes.
    """

    path: str
    type: str
    free: int
    size: int
    ftype: Optional[bool]


@dataclass(frozen=True)
class Facts:
    """One host's facts.

    `sysctls` are live values of a few kernel parameters, where the kernel has them; `raw` is the whole document that the agent
    sent, for `invoke facts`.
    """

    hostname: str
    os_id: str
    os_like: Tuple[str, ...]
    os_version: str
    os_name: str
    kernel: str
    arch: str
    package_manager: Optional[str]
    pythons: Tuple[Interpreter, ...]
    cgroup: str
    selinux: str
    selinux_file: Optional[str]
    firewalld: bool
    overlay: bool
    br_netfilter: bool
    sysctls: Mapping[str, str]
    systemd: bool
    file_systems: Mapping[str, FileSystem]
    memory: int
    cpus: int
    virtualisation: str
    docker_unit: bool
    docker_socket: str
    docker_compat: bool
    docker_managed: bool
    docker_root: Optional[str]
    raw: Mapping[str, Any]

    @property
    def os_major(self) -> int:
        """The release's major number; 0 where VERSION_ID has none."""
        head = self.os_version.partition(".")[0]
        return int(head) if head.isdigit() else 0

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Facts:
        """The facts in an agent's `hello` (docs/exchange.md draws the document).

        Raises:
            KeyError, TypeError: the document is not of protocol 1's form.
        """
        system, storage = raw["os"], raw["storage"]
        return cls(
            hostname=raw["hostname"],
            os_id=system["id"],
            os_like=tuple(system["id_like"]),
            os_version=system["version_id"],
            os_name=system["pretty_name"],
            kernel=raw["kernel"],
            arch=raw["arch"],
            package_manager=raw["package_manager"],
            pythons=tuple(Interpreter(p["path"], (*p["version"][:3],)) for p in raw["pythons"]),
            cgroup=raw["cgroup"],
            selinux=raw["selinux"]["mode"],
            selinux_file=raw["selinux"]["file"],
            firewalld=raw["firewalld"]["installed"],
            overlay=raw["overlay"],
            br_netfilter=raw["br_netfilter"],
            sysctls=raw["sysctls"],
            systemd=raw["systemd"],
            file_systems={s["path"]: FileSystem(s["path"], s["type"], s["free"], s["size"], s["ftype"]) for s in storage},
            memory=raw["memory"],
            cpus=raw["cpus"],
            virtualisation=raw["virtualisation"],
            docker_unit=raw["docker"]["unit"],
            docker_socket=raw["docker"]["socket"],
            docker_compat=raw["docker"]["compat"],
            docker_managed=raw["docker"]["managed"],
            docker_root=raw["docker"]["root"],
            raw=raw,
        )
