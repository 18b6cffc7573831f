"""The line of shell that installs Python with a bare host's own package tool, so that the agent can run there."""

from __future__ import annotations

from typing import Optional

FAMILY = ("centos", "rhel", "rocky", "almalinux", "ol", "fedora")
VAULT = "https://vault.centos.org/7.9.2009"


def install_line(os_id: str, os_version: str) -> Optional[str]:
    """One line of shell, or None for a host that is not of the family.

    CentOS 7's repositories have ended: where they give nothing, the vault's take their place for this one installation.
    """
    if os_id not in FAMILY:
        return None
    if os_version.partition(".")[0] != "7":
        return "dnf -y install python3"
    entries = "".join(
        f"[skiff-vault-{name}]\\nname=CentOS 7 vault {name}\\nbaseurl={VAULT}/{name}/$basearch/\\ngpgcheck=1\\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7\\n"
        for name in ("os", "updates")
    )
    # yum reads no repository from its command line: the vault's file stands there only while it runs.
    file = "/etc/yum.repos.d/skiff-vault.repo"
    return (
        f"yum -y install python3 || {{ printf '{entries}' > {file}; "
        f"yum -y --disablerepo='*' --enablerepo='skiff-vault-*' install python3; rm -f {file}; }}"
    )
