"""Disk images for virtual machines, built once by the hash of their recipe: a Debian with its own kernel, and keys to log in.

One may look like a release of EL, as the lab's hosts do: the lab's own packages, files, package database and repository.

<cache>/vm-<digest>/    disk.img, vmlinuz, initrd.img, id_ed25519 and .pub, known_host; root's alone
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from fleet.lab import cache, command, look, recipe, rootfs, rpms, sources

CACHE = Path("/var/lib/skiff-lab/cache")
DISK_BYTES = "3G"


@dataclass(frozen=True)
class Recipe:
    """What a machine is made of. `arguments` are the kernel's; with `selinux` its files carry labels from the start.

    `release` is the one that it looks like, a key of the lab's releases, or none.
    """

    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    selinux: bool = False
    release: str = ""


BASE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "udev", "openssh-server", "python3", "iproute2", "procps", "kmod"),
    *("util-linux", "busybox-static", "linux-image-cloud-amd64"),
)
SELINUX_PACKAGES = ("selinux-policy-default", "policycoreutils", "selinux-utils")
CGROUP2 = Recipe(packages=("runc", "apparmor"), arguments=("systemd.unified_cgroup_hierarchy=1",))
SELINUX = Recipe(arguments=("security=selinux", "selinux=1", "enforcing=1"), selinux=True)
# The last release where `selinux: disabled` is the file's word alone, for grubby is no package of Debian's. What enforces is the
# file's word too: a kernel that was told so would have it over the file.
EL8 = Recipe(arguments=("security=selinux", "selinux=1"), selinux=True, release="el8")

MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service"),
    *("fstrim.timer", "systemd-tmpfiles-clean.timer", "systemd-pstore.service", "getty@tty1.service", "systemd-resolved.service"),
    *("systemd-timesyncd.service", "serial-getty@ttyS0.service", "systemd-update-utmp.service", "systemd-random-seed.service"),
)
NETWORK = """\
[Match]
Name=eth0

[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
"""
FILES = (
    recipe.File("/etc/systemd/network/eth0.network", NETWORK),
    recipe.File("/etc/systemd/journald.conf.d/vm.conf", "[Journal]\nStorage=volatile\n"),
    recipe.File("/etc/ssh/sshd_config.d/vm.conf", "UseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\nMaxStartups 100:30:200\n"),
    recipe.File("/etc/fstab", "tmpfs /tmp tmpfs mode=1777 0 0\n"),
    recipe.File("/etc/hostname", "vm\n"),
)
SLOW = recipe.File("/etc/systemd/system.conf.d/vm.conf", "[Manager]\nDefaultTimeoutStartSec=900\n")  # firewalld, emulated
# The release's own file names a policy that Debian has not.
SELINUX_CONFIG = recipe.File("/etc/selinux/config", recipe.SELINUX.replace("SELINUXTYPE=targeted", "SELINUXTYPE=default"))
LAB_ONLY = ("/etc/systemd/system/lab-prepare.service", f"{recipe.HIDDEN}/prepare")  # for a host that shares the machine's kernel


class Image:
    """A built image's files."""

    def __init__(self, directory: Path, recipe: Recipe) -> None:
        self.disk = directory / "disk.img"
        self.kernel = directory / "vmlinuz"
        self.initrd = directory / "initrd.img"
        self.identity = directory / "id_ed25519"
        self.known_hosts = directory / "known_hosts"
        self.recipe = recipe


def obtain(wanted: Recipe, directory: Path = CACHE) -> Image:
    """The image from the cache, or built: that takes minutes."""
    made_of: tuple[object, ...] = (
        BASE_PACKAGES,
        SELINUX_PACKAGES,
        MASKED_UNITS,
        FILES,
        SELINUX_CONFIG,
        SLOW,
        wanted,
        Path(__file__),
    )
    layers: tuple[Path, ...] = ()
    if wanted.release:  # before the build, for the cache has one lock
        layers = look.layer(directory, recipe.RELEASES[wanted.release]), rpms.repository(directory, wanted.release)
        made_of += (recipe.DEBIAN_PACKAGES, recipe.ROOT_FILES, [layer.name for layer in layers])
    key = cache.digest(sources.codename(), *made_of)
    return Image(cache.obtain(directory, "vm", key, lambda aside, fd: _build(aside, fd, wanted, layers)), wanted)


def _build(aside: Path, fd: int, wanted: Recipe, layers: tuple[Path, ...]) -> None:
    aside.chmod(0o700)
    tree = aside / "tree"
    packages = (*BASE_PACKAGES, *wanted.packages, *(SELINUX_PACKAGES if wanted.selinux else ()))
    rootfs.debootstrap(aside, tree, (*packages, *recipe.DEBIAN_PACKAGES) if layers else packages, fd)
    if layers:
        _look_like(tree, *layers)
    for file in (*FILES, *([SELINUX_CONFIG, SLOW] if layers else [])):
        rootfs.write(tree, file)
    for unit in MASKED_UNITS:
        mask = tree / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    command.run(["systemctl", f"--root={tree}", "enable", "--quiet", "systemd-networkd.service", "ssh.service"])
    _make_keys(aside, tree)
    for name in ("vmlinuz", "initrd.img"):
        [found] = (tree / "boot").glob(f"{name}-*")
        shutil.copy(found, aside / name)
    if wanted.selinux:
        _label(tree)
    command.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(aside / "disk.img"), DISK_BYTES])
    cache.remove_tree(tree)


def _look_like(tree: Path, layer: Path, repository: Path) -> None:
    """Gives a tree a release's look: its files, and for each mark of one that is hidden, nothing."""
    rootfs.hide_python(tree)
    for file in recipe.ROOT_FILES:
        if file.path not in LAB_ONLY:
            rootfs.write(tree, file)
    hidden = [path.relative_to(layer) for path in layer.rglob("*") if path.is_char_device()]
    for path in hidden:
        command.run(["rm", "-rf", "--", str(tree / path)])
    command.run(["cp", "-a", f"{layer}/.", str(tree)])
    for path in hidden:
        (tree / path).unlink()
    shutil.copytree(repository, tree / recipe.REPOSITORY.lstrip("/"))


def _make_keys(aside: Path, tree: Path) -> None:
    """The machine's own host key and the only login's, so that the first connection checks one and needs no password."""
    for old in (tree / "etc/ssh").glob("ssh_host_*"):
        old.unlink()
    host_key = tree / "etc/ssh/ssh_host_ed25519_key"
    for path in (host_key, aside / "id_ed25519"):
        command.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vm", "-f", str(path)])
    (aside / "known_hosts").write_text(f"vm {host_key.with_suffix('.pub').read_text()}")
    authorized = recipe.File("/root/.ssh/authorized_keys", (aside / "id_ed25519.pub").read_text(), 0o600)
    rootfs.write(tree, authorized)
    (tree / "root/.ssh").chmod(0o700)


def _label(tree: Path) -> None:
    """What the policy says of each file; written as attributes, for which the building kernel needs no SELinux."""
    contexts = "/etc/selinux/default/contexts/files/file_contexts"
    # It names files by /proc/self/fd.
    script = f'mount -t proc proc "$0/proc" && exec chroot "$0" setfiles -F -e /proc -e /sys -e /dev {contexts} /'
    command.run(["unshare", "--mount", "sh", "-c", script, str(tree)])
