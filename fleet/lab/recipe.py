"""What a lab host is made of, as data: Debian packages, files, users, releases, RPMs. A change rebuilds what it touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple

# Where the host keeps what is the lab's own and no part of a release.
HIDDEN = "/usr/libexec/lab"
HIDDEN_PYTHON = f"{HIDDEN}/python3"
RELEASE_PYTHON = f"{HIDDEN}/python"
REPOSITORY = "/usr/share/lab/repository"
AUTHORIZED_KEYS = "/etc/ssh/lab_authorized_keys"

DEBIAN_PACKAGES = (
    *("systemd", "systemd-sysv", "libpam-systemd", "dbus", "netbase", "procps", "kmod", "iproute2", "iputils-ping"),
    *("openssh-server", "sudo", "tcsh", "fish", "ca-certificates", "curl", "less", "xz-utils"),
    *("python3", "dnf", "rpm", "firewalld", "nftables", "selinux-utils"),
)
# The language files and manuals are a third of a Debian system, and nobody reads them in the lab.
EXCLUDED_PATHS = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")

MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("man-db.timer", "systemd-tmpfiles-clean.timer", "e2scrub_reap.service", "systemd-pstore.service"),
    *("getty@tty1.service", "console-getty.service", "systemd-resolved.service", "systemd-networkd.service"),
)

# nspawn mounts the cgroup tree and network sysctls read-only; a container engine needs both.
PREPARE_SCRIPT = """\
#!/bin/sh
mount -o remount,rw /sys/fs/cgroup
awk '$5 ~ "^/sys/fs/cgroup/" { print $5 }' /proc/self/mountinfo | while read -r controller; do
    mount -o remount,bind,rw,nosuid,nodev,noexec "$controller"
done
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw,nosuid,nodev,noexec /proc/sys/net
"""
PREPARE_UNIT = f"""\
[Unit]
Description=Make the cgroup tree and the network sysctls writable
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service

[Service]
Type=oneshot
ExecStart={HIDDEN}/prepare

[Install]
WantedBy=sysinit.target
"""
SSHD = f"""\
MaxStartups 200:30:400
UseDNS no
LogLevel VERBOSE
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys {AUTHORIZED_KEYS}
"""
SELINUX = """\
# This file controls the state of SELinux on the system.
# SELINUX= can take one of these three values:
#     enforcing - SELinux security policy is enforced.
#     permissive - SELinux prints warnings instead of enforcing.
#     disabled - No SELinux policy is loaded.
SELINUX=enforcing
# SELINUXTYPE= can take one of these three values:
#     targeted - Targeted processes are protected,
#     minimum - Modification of targeted policy. Only selected processes are protected.
#     mls - Multi Level Security protection.
SELINUXTYPE=targeted
"""
LAB_REPO = f"""\
[lab]
name=Packages built on this machine for Skiff's lab
baseurl=file://{REPOSITORY}
enabled=1
gpgcheck=0
metadata_expire=1
"""


@dataclass(frozen=True)
class File:
    """A file of the image, root's."""

    path: str
    text: str
    mode: int = 0o644


ROOT_FILES = (
    File(f"{HIDDEN}/prepare", PREPARE_SCRIPT, 0o755),
    File("/etc/systemd/system/lab-prepare.service", PREPARE_UNIT),
    File("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\n"),
    File("/etc/ssh/sshd_config.d/lab.conf", SSHD),
    File("/etc/sudoers.d/lab", "%nopass ALL=(ALL) NOPASSWD: ALL\n%askpass ALL=(ALL) ALL\n", 0o440),
    File("/etc/default/locale", ""),
    File("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n"),
)


@dataclass(frozen=True)
class User:
    """A login beside root; the lab's key opens each."""

    name: str
    group: str = ""
    login_shell: str = "/bin/bash"
    password: str = ""


USERS = (
    User("admin", group="nopass"),
    User("op", group="askpass", password="op-password"),  # noqa: S106 -- the lab's, told to everyone
    User("weak"),
    User("cshuser", group="nopass", login_shell="/bin/tcsh"),
    User("fishuser", group="nopass", login_shell="/usr/bin/fish"),
)


@dataclass(frozen=True)
class Release:
    """A release as its hosts look. `python` is the version of its own python3 package."""

    name: str
    id: str
    id_like: str
    version: str
    title: str
    python: str
    hidden: Tuple[str, ...]

    @property
    def enterprise(self) -> bool:
        """Whether it is of the CentOS family."""
        return self.id == "centos"


_DEBIAN_TOOLS = (
    *("/usr/bin/apt", "/usr/bin/apt-get", "/usr/bin/apt-cache", "/usr/bin/apt-key", "/usr/bin/apt-mark", "/usr/bin/apt-config"),
    *("/usr/bin/dpkg", "/usr/bin/dpkg-query", "/usr/bin/dpkg-deb", "/etc/debian_version", "/etc/apt"),
)
_RPM_TOOLS = ("/usr/bin/dnf", "/usr/bin/dnf-3", "/usr/bin/rpm", "/usr/bin/rpm2cpio", "/etc/dnf", "/etc/selinux")


def _centos(major: str, python: str, name: str = "CentOS Stream") -> Release:
    return Release(f"el{major}", "centos", "rhel fedora", major, f"{name} {major}", python, _DEBIAN_TOOLS)


RELEASES: Mapping[str, Release] = {
    release.name: release
    for release in (
        _centos("7", "3.6", "CentOS Linux"),
        _centos("8", "3.6"),
        _centos("9", "3.9"),
        _centos("10", "3.12"),
        Release("debian", "debian", "", "12", "Debian GNU/Linux 12 (bookworm)", "3.11", _RPM_TOOLS),
    )
}
STAND_IN = "Skiff's lab stand-in, a Debian that looks like it"


@dataclass(frozen=True)
class Package:
    """An RPM of the lab's repository. `links` are (path, target) pairs; every package carries a file of its own besides."""

    name: str
    version: str = "1.0"
    provides: Tuple[str, ...] = ()
    requires: Tuple[str, ...] = ()
    links: Tuple[Tuple[str, str], ...] = ()
    releases: Tuple[str, ...] = ("el7", "el8", "el9", "el10")
    installed: bool = False


_PYTHON3 = ("/usr/bin/python3", f"{RELEASE_PYTHON}/bin/python3")
_PLATFORM_PYTHON = ("/usr/libexec/platform-python", f"{RELEASE_PYTHON}/bin/python3")
PACKAGES = (
    # What a minimal install has already.
    *(Package(name, installed=True) for name in ("coreutils", "systemd", "firewalld", "openssh-server", "sudo")),
    Package("bash", provides=("/bin/sh",), installed=True),
    *(Package(name, installed=True) for name in ("kmod", "procps-ng", "tar", "gzip", "iproute", "rpm", "selinux-policy-targeted")),
    Package("curl", provides=("webclient",), installed=True),
    Package("python3", "3.6.8", links=(_PYTHON3,), releases=("el7",)),
    Package("platform-python", "3.6.8", links=(_PLATFORM_PYTHON,), releases=("el8",), installed=True),
    Package("python36", "3.6.8", ("python3 = 3.6.8",), links=(_PYTHON3,), releases=("el8",), installed=True),
    Package("python3", "3.9.21", links=(_PYTHON3,), releases=("el9",), installed=True),
    Package("python3", "3.12.9", links=(_PYTHON3,), releases=("el10",), installed=True),
    # What the roles install.
    Package("yum-utils", "4.0", ("dnf-utils = 4.0",)),
    Package("device-mapper-persistent-data", requires=("device-mapper",)),
    Package("device-mapper", provides=("device-mapper-libs",)),
    Package("lvm2", "2.03", requires=("device-mapper-persistent-data",)),
    *(Package(name) for name in ("nftables", "iptables", "iptables-nft", "ebtables", "ethtool", "socat", "conntrack-tools")),
    *(Package(name) for name in ("xfsprogs", "e2fsprogs", "container-selinux", "libseccomp", "libzstd", "grubby", "chrony")),
    *(Package(name) for name in ("python3-libselinux", "policycoreutils", "libselinux-utils", "fuse-overlayfs", "slirp4netns")),
    *(Package(name) for name in ("dnf-plugins-core", "kernel-modules-extra", "bash-completion", "jq", "unzip", "zstd", "wget")),
    Package("python3.11", "3.11.11", links=(("/usr/bin/python3.11", HIDDEN_PYTHON),), releases=("el8", "el9")),
    # What another engine left behind.
    *(Package(name) for name in ("docker-common", "docker-client", "docker-logrotate", "docker-engine", "docker-selinux")),
    Package("docker", "1.13", requires=("docker-common", "docker-client")),
    *(Package(name) for name in ("podman", "runc", "containerd", "buildah")),
)
