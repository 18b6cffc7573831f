"""A Vagrant box for libvirt with the lab's CentOS Stream 9 look, built once by the hash of its recipe.

<cache>/box-<digest>/el9.box    a tar.gz: metadata.json, Vagrantfile, box.img (qcow2), vmlinuz, initrd.img

It is started by its kernel, as its own Vagrantfile says, and so needs no boot loader. Vagrant's public key opens it, as any base
box, until the first `vagrant up` puts one of its own there.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from fleet.lab import cache, command, look, recipe, rootfs, rpms, sources
from tests.vm import image

RELEASE = recipe.RELEASES["el9"]
DISK_GIB = 4
PACKAGES = (*recipe.DEBIAN_PACKAGES, "udev", "linux-image-cloud-amd64")
UNITS = ("systemd-networkd.service", "ssh.service")
PUBLIC_KEY = Path("/usr/share/rubygems-integration/all/gems/vagrant-2.3.4/keys/vagrant.pub")
NETWORK = "[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n\n[DHCPv4]\nClientIdentifier=mac\n"
KEY = "/etc/ssh/ssh_host_ed25519_key"
MAKE_KEY = f"/bin/sh -c '[ -e {KEY} ] || exec ssh-keygen -q -t ed25519 -N \"\" -f {KEY}'"
PREPARED = ("/etc/systemd/system/lab-prepare.service",)  # what nspawn needs alone
FILES = (
    *(file for file in recipe.ROOT_FILES if file.path not in PREPARED),
    recipe.File("/etc/systemd/network/50-eth0.network", NETWORK),
    recipe.File("/etc/hostname", "el9\n"),
    recipe.File("/etc/fstab", "tmpfs /tmp tmpfs mode=1777 0 0\n"),
    recipe.File("/etc/sudoers.d/vagrant", "vagrant ALL=(ALL) NOPASSWD: ALL\n", 0o440),
    # Each machine has a host key of its own, from its first boot.
    recipe.File("/etc/systemd/system/ssh.service.d/keys.conf", f"[Service]\nExecStartPre=\nExecStartPre={MAKE_KEY}\n"),
)
METADATA = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GIB}
VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.guest = :debian # what sets up its network; it looks like CentOS to all others
  config.vm.boot_timeout = 1200
  config.vm.provider :libvirt do |libvirt|
    libvirt.kernel = File.join(__dir__, "vmlinuz")
    libvirt.initrd = File.join(__dir__, "initrd.img")
    libvirt.cmd_line = "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet systemd.unified_cgroup_hierarchy=1"
  end
end
"""


def obtain(directory: Path = image.CACHE) -> Path:
    """The box's file, from the cache or built: that takes minutes."""
    layers = [
        look.layer(directory, RELEASE),
        rpms.repository(directory, RELEASE.name),
    ]  # before the build, for the cache has one lock
    parts = (sources.codename(), PACKAGES, FILES, METADATA, VAGRANTFILE, [layer.name for layer in layers], Path(__file__))
    return cache.obtain(directory, "box", cache.digest(*parts), lambda aside, fd: _build(aside, fd, *layers)) / "el9.box"


def _build(aside: Path, fd: int, look_layer: Path, repository: Path) -> None:
    tree = aside / "tree"
    rootfs.debootstrap(aside, tree, PACKAGES, fd)
    boot = [next((tree / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img")]
    for found, name in zip(boot, ("vmlinuz", "initrd.img")):
        shutil.copy(found, aside / name)
    rootfs.hide_python(tree)
    for file in FILES:
        rootfs.write(tree, file)
    _add_user(tree)
    shutil.copytree(repository, tree / recipe.REPOSITORY.lstrip("/"))
    for unit in (*recipe.MASKED_UNITS, *image.MASKED_UNITS):
        mask = tree / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        if unit not in UNITS:
            mask.symlink_to("/dev/null")
    command.run(["systemctl", f"--root={tree}", "enable", "--quiet", *UNITS])
    for pattern in ("etc/ssh/ssh_host_*", "boot/*", "etc/machine-id", "var/lib/dbus/machine-id"):
        for left in tree.glob(pattern):
            left.unlink()
    (tree / "etc/machine-id").touch()
    _pack(aside, tree, look_layer)
    cache.remove_tree(tree)


def _add_user(tree: Path) -> None:
    command.run(["chroot", str(tree), "useradd", "--create-home", "--shell", "/bin/bash", "vagrant"])
    rootfs.write(tree, recipe.File("/home/vagrant/.ssh/authorized_keys", PUBLIC_KEY.read_text(), 0o600))
    (tree / "home/vagrant/.ssh").chmod(0o700)
    command.run(["chroot", str(tree), "chown", "-R", "vagrant:vagrant", "/home/vagrant/.ssh"])


def _pack(aside: Path, tree: Path, look_layer: Path) -> None:
    """The tree with its look over it, which hides some files, as a disk; then all in one archive."""
    merged, disk = aside / "merged", aside / "disk.img"
    merged.mkdir()
    script = 'mount -t overlay look -o "lowerdir=$0:$1" "$2" && mke2fs -q -t ext4 -d "$2" "$3" "$4"'
    words = [str(look_layer), str(tree), str(merged), str(disk), f"{DISK_GIB}G"]
    command.run(["unshare", "--mount", "sh", "-c", script, *words])
    merged.rmdir()
    command.run(["qemu-img", "convert", "-c", "-O", "qcow2", str(disk), str(aside / "box.img")])
    disk.unlink()
    (aside / "metadata.json").write_text(json.dumps(METADATA))
    (aside / "Vagrantfile").write_text(VAGRANTFILE)
    members = ("metadata.json", "Vagrantfile", "box.img", "vmlinuz", "initrd.img")
    command.run(["tar", "-C", str(aside), "-czf", str(aside / "el9.box"), *members])
    for member in members:
        (aside / member).unlink()
