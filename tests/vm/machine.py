"""A virtual machine for the tests: QEMU without KVM, a throw-away view of an image's disk, SSH on a port of the loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from tests import parcel
from tests.vm.image import Image

BOOT_SECONDS = 600.0
MEMORY = "1536"
BOOT = "cat /proc/sys/kernel/random/boot_id"


class Machine:
    """One that runs; its disk's changes vanish with it."""

    def __init__(self, image: Image, directory: Path) -> None:
        self.image = image
        self.console = directory / "console.log"
        self.port = free_port()
        with self.console.open("wb") as console:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)

    def _command(self) -> list[str]:
        image = self.image
        arguments = ("root=/dev/vda", "rw", "console=ttyS0", "net.ifnames=0", "quiet", *image.recipe.arguments)
        return [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY),
            *("-nographic", "-monitor", "none", "-serial", "stdio"),
            *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join(arguments)),
            *("-drive", f"file={image.disk},format=raw,if=virtio,snapshot=on"),
            *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=n0"),
        ]

    def await_login(self, other_than: bytes = b"") -> None:
        """Until root can log in, to another boot than the one given, and systemd has come to rest."""
        deadline = time.monotonic() + BOOT_SECONDS
        while (found := self._boot()) in (b"", other_than):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"the machine did not come up, boot {found!r}:\n{self.console.read_text(errors='replace')[-4000:]}"
                )
            time.sleep(1)
        self.run("systemctl is-system-running --wait")

    def reboot(self) -> None:
        """Have it started anew by its own systemd."""
        before = self._boot()
        self.run("systemctl reboot")
        self.await_login(other_than=before)

    def _boot(self) -> bytes:
        """The boot's id, or nothing where there is no answer."""
        try:
            done = self.run(BOOT, timeout=120)
        except subprocess.TimeoutExpired:
            return b""  # it is slow while it boots
        return done.stdout if done.returncode == 0 else b""

    def run(self, command: str, stdin: bytes = b"", timeout: float = 300.0) -> subprocess.CompletedProcess[bytes]:
        """A shell command as root; its status is 255 where there was no connection."""
        options = [
            *("HostKeyAlias=vm", f"UserKnownHostsFile={self.image.known_hosts}", "StrictHostKeyChecking=yes"),
            *("IdentitiesOnly=yes", "BatchMode=yes", "ConnectTimeout=20", "LogLevel=ERROR"),
        ]
        words = [word for option in options for word in ("-o", option)]
        argv = ["ssh", "-F", "none", "-i", str(self.image.identity), *words, "-p", str(self.port), "root@127.0.0.1", command]
        return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)

    def install_repository(self) -> None:
        """This repository and pytest to /root."""
        done = self.run("tar -xzf - -C /root", stdin=parcel.pack())
        assert done.returncode == 0, done.stdout.decode()

    def pytest(self, *arguments: str, timeout: float = 1800.0) -> subprocess.CompletedProcess[bytes]:
        """The repository's tests inside; one that skips fails, as in CI."""
        return self.run(parcel.command("/root", *arguments), timeout=timeout)

    def close(self) -> None:
        """Its power is cut."""
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
