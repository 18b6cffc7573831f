"""CentOS's releases: the repository files that each ships, and where its packages are served today."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Tuple

from fleet.facts import Facts

ALIYUN = "https://mirrors.aliyun.com"
VAULT = "https://vault.centos.org"
STREAM = "https://mirror.stream.centos.org"


@dataclass(frozen=True)
class Release:
    """A release: its files with their sections (id, path below the mirror), the mirrors, the signing key's file, what is off.

    `keys` are those of sections that another key signs.
    """

    title: str
    files: Dict[str, Dict[str, str]]
    mirrors: Dict[str, str]
    key: str
    disabled: Tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


def find(facts: Facts) -> Optional[Release]:
    """The host's release, or None where it is not CentOS itself."""
    if facts.os_id != "centos":
        return None
    if facts.os_major in (9, 10):
        return _stream(facts.os_major)
    if facts.os_major == 8:
        return _ended_8("8-stream", "Stream") if "Stream" in facts.os_name else _ended_8("8.5.2111", "Linux")
    return _ended_7(facts.arch) if facts.os_major == 7 else None


def _stream(major: int) -> Release:
    sections = {name.lower(): f"{name}/$basearch/os" for name in ("BaseOS", "AppStream", "CRB")}
    return Release(
        title=f"CentOS Stream {major}",
        files={"centos.repo": sections},
        mirrors={"aliyun": f"{ALIYUN}/centos-stream/{major}-stream", "official": f"{STREAM}/{major}-stream"},
        key="RPM-GPG-KEY-centosofficial" + ("-SHA256" if major == 10 else ""),
        disabled=("crb",),
    )


def _ended_8(folder: str, kind: str) -> Release:
    """Release 8 ended in 2021, its Stream in 2024: both are in the archive."""
    folders = {"BaseOS": "BaseOS/$basearch/os", "AppStream": "AppStream/$basearch/os", "Extras": "extras/$basearch/os"}
    if kind == "Stream":  # on as it is shipped, and its servers are gone: left alone, it fails every transaction
        folders["Extras-common"] = "extras/$basearch/extras-common"
    return Release(
        title=f"CentOS {kind} 8",
        files={f"CentOS-{kind}-{name}.repo": {name.lower(): path} for name, path in folders.items()},
        mirrors={"aliyun": f"{ALIYUN}/centos-vault/{folder}", "official": f"{VAULT}/{folder}"},
        key="RPM-GPG-KEY-centosofficial",
        keys={"extras-common": "RPM-GPG-KEY-CentOS-SIG-Extras"},
    )


def _ended_7(arch: str) -> Release:
    """Release 7 ended in 2024; in the archive, every architecture but x86_64 has a tree of its own."""
    folder = "7.9.2009" if arch == "x86_64" else "altarch/7.9.2009"
    sections = {"base": "os/$basearch", "updates": "updates/$basearch", "extras": "extras/$basearch"}
    return Release(
        title="CentOS Linux 7",
        files={"CentOS-Base.repo": sections},
        mirrors={"aliyun": f"{ALIYUN}/centos-vault/{folder}", "official": f"{VAULT}/{folder}"},
        key="RPM-GPG-KEY-CentOS-7",
    )
