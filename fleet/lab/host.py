"""One lab host: its files, its boot, its end. Its state is what exists: files, mounts, namespaces and processes in its cgroups.

<lab>/hosts/<host>/             complete, for it was renamed into place
    spec.json                   what it is
    upper/ work/ merged/        the overlay over its release's look and the root file system
    varlib/                     its /var/lib: an ordinary directory, so that container engines can overlay in it
    console.log                 what its console said since its last start
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import List, Optional, Tuple, Union

from fleet.errors import FleetError
from fleet.lab import cache, cgroups, command, interpreters, look, mounts, network, recipe, rootfs, rpms

BOOT_SECONDS = 90.0
GREETING_SECONDS = 3.0
MODULES = Path("/lib/modules")
NSPAWN = Path("/run/systemd/nspawn")
# nspawn ends with this status where the host rebooted, and whoever keeps its unit is to start it again (systemd-nspawn(1)).
REBOOTED = 133
START = ["sh", "-c", f'while "$@"; [ $? = {REBOOTED} ]; do :; done', "start"]


@dataclass(frozen=True)
class HostSpec:
    """What a host shall be: `release` a key of recipe.RELEASES, `python` "release" or "none", `personality` "" or "x86"."""

    name: str
    index: int
    release: str = "el9"
    python: str = "release"
    personality: str = ""


@dataclass(frozen=True)
class HostStatus:
    """A host as it is now: `state` is "running", "starting" or "stopped"; `python` the version that it began with, or "none"."""

    name: str
    address: str
    release: str
    state: str
    python: str


@dataclass(frozen=True)
class Place:
    """Where a host lives: the cache, its lab's directory, its lab's number."""

    cache: Path
    lab: Path
    number: int


class Host:
    """A host of a lab, by its spec."""

    def __init__(self, spec: HostSpec, place: Place) -> None:
        self.spec = spec
        self.release = recipe.RELEASES[spec.release]
        self.place = place
        self.directory = place.lab / "hosts" / spec.name
        self.machine = f"skiff-lab-{place.number}-{spec.name}"
        self.network = network.Network(place.number)
        self.address = self.network.address(spec.index)
        self.cgroups = cgroups.Cgroups(place.number, spec.name)

    def status(self) -> HostStatus:
        """The host as it is now."""
        state = "stopped"
        if self.leader() is not None:
            state = "running" if self.answers() else "starting"
        bare = self.spec.python == "none" or not look.has_python(self.release)
        prefix = self._python()
        python = "none" if bare else prefix.name if prefix else "Debian's"
        return HostStatus(self.spec.name, self.address, self.spec.release, state, python)

    def create(self) -> None:
        """Makes its directory, unless it is there: aside, then renamed."""
        if self.directory.exists():
            return
        aside = self.directory.with_name(f".{self.spec.name}")
        cache.remove_tree(aside)
        for name in ("upper", "work", "merged", "varlib"):
            (aside / name).mkdir(parents=True)
        lower = [look.layer(self.place.cache, self.release, self.spec.python), rootfs.root(self.place.cache) / "tree"]
        for layer in reversed(lower):
            if (layer / "var/lib").is_dir():
                command.run(["cp", "-a", f"{layer}/var/lib/.", str(aside / "varlib")])
        for file in self._files():
            rootfs.write(aside / "upper", file)
        for library in self._libraries():
            link = aside / "upper/usr/lib" / library.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"{recipe.RELEASE_PYTHON}/lib/{library.name}")
        (aside / "spec.json").write_text(json.dumps(asdict(self.spec)))
        (aside / "lower.json").write_text(json.dumps([str(layer) for layer in lower]))
        aside.rename(self.directory)

    def start(self, lock_fd: int) -> None:
        """Boots it, unless it runs or is about to."""
        if self.leader() is None or not self._settles():
            self.boot(lock_fd)

    def boot(self, lock_fd: int) -> None:
        """Boots it, after clearing what an earlier life left, and returns once systemd has started everything.

        `lock_fd` is the lab's lock: were we killed, what we start holds it until it is in its cgroups, where `stop` finds it.

        Raises:
            FleetError: it did not come up in time; the console's last lines are in the details.
        """
        self.stop()
        self.network.attach(self.spec.name, self.spec.index)
        self.cgroups.make()
        merged = self._mount()
        with (self.directory / "console.log").open("wb") as console:
            argv = ["setsid", "--fork", *self.cgroups.prefix(), *START, *self._nspawn(merged)]
            subprocess.run(argv, stdin=lock_fd, stdout=console, stderr=console, check=True)
        if not self._settles():
            raise FleetError(f"{self.spec.name} did not boot.", self.console())

    def stop(self) -> None:
        """Ends it at once, as a power cut would: processes, mounts, network, cgroups. Its files stay."""
        self.cgroups.kill()
        merged = self.directory / "merged"
        if mounts.is_mounted(merged):  # nspawn was killed, so its lock file is ours to remove
            at = merged.stat()
            (NSPAWN / "locks" / f"inode-{at.st_dev}:{at.st_ino}").unlink(missing_ok=True)
        mounts.unmount_below(self.directory)
        self.network.detach(self.spec.name)
        self.cgroups.remove()
        for folder in ("propagate", "unix-export"):
            shutil.rmtree(NSPAWN / folder / self.machine, ignore_errors=True)

    def remove(self) -> None:
        """Stops it and removes its files."""
        self.stop()
        cache.remove_tree(self.directory)

    def leader(self) -> Optional[int]:
        """Its PID 1 as this machine numbers it, None if it does not run."""
        for pid in self.cgroups.pids():
            with suppress(OSError):  # it ended meanwhile
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                if _comm(pid) == "systemd-nspawn" and children and _comm(children[0]) == "systemd":
                    return int(children[0])
        return None

    def answers(self) -> bool:
        """Whether its SSH server greets."""
        try:
            with socket.create_connection((self.address, 22), timeout=GREETING_SECONDS) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def exec(self, argv: List[str], stdin: str = "", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a command inside, as root in all its namespaces, past SSH.

        Raises:
            FleetError: it does not run.
        """
        leader = self.leader()
        if leader is None:
            raise FleetError(f"{self.spec.name} does not run.", resolution="Start it: `./inv lab.up`.")
        environment = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"]
        enter = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", *environment]
        return subprocess.run([*enter, *argv], input=stdin, capture_output=True, text=True, timeout=timeout, check=False)

    def console(self, lines: int = 20) -> str:
        """The last lines of its console."""
        text = (self.directory / "console.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _files(self) -> Tuple[recipe.File, ...]:
        lab = self.place.lab
        return (
            recipe.File("/etc/hostname", f"{self.spec.name}\n"),
            recipe.File("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.spec.name}\n"),
            recipe.File("/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444),
            recipe.File("/etc/ssh/ssh_host_ed25519_key", (lab / "ssh_host_ed25519_key").read_text(), 0o600),
            recipe.File("/etc/ssh/ssh_host_ed25519_key.pub", (lab / "ssh_host_ed25519_key.pub").read_text()),
            recipe.File(recipe.AUTHORIZED_KEYS, (lab / "id_ed25519.pub").read_text()),
        )

    def _mount(self) -> Path:
        lower = json.loads((self.directory / "lower.json").read_text())
        gone = [layer for layer in lower if not Path(layer).is_dir()]
        if gone:
            raise FleetError(f"{self.spec.name} stands on {gone[0]}, which is gone.", resolution="Take the lab down and up again.")
        merged = self.directory / "merged"
        upper = f"upperdir={self.directory / 'upper'},workdir={self.directory / 'work'}"
        command.run(["mount", "-t", "overlay", self.machine, "-o", f"lowerdir={':'.join(lower)},{upper}", str(merged)])
        return merged

    def _python(self) -> Optional[Path]:
        """This machine's Python for the release, None where Debian's own takes its place."""
        return interpreters.find(self.release.python) if self.release.enterprise else None

    def _libraries(self) -> List[Path]:
        prefix = self._python()
        return interpreters.libraries(prefix) if prefix else []

    def _nspawn(self, merged: Path) -> List[str]:
        binds = [f"--bind={self.directory / 'varlib'}:/var/lib"]
        prefix = self._python()
        if prefix:
            binds.append(f"--bind-ro={prefix}:{recipe.RELEASE_PYTHON}")
        if self.release.enterprise:
            binds.append(f"--bind-ro={rpms.repository(self.place.cache, self.release.name)}:{recipe.REPOSITORY}")
        if MODULES.is_dir():  # one kernel: what the host loads, the machine has loaded
            binds.append(f"--bind-ro={MODULES}")
        personality = [f"--personality={self.spec.personality}"] if self.spec.personality else []
        return [
            *("systemd-nspawn", "--quiet", f"--directory={merged}", "--boot", "--register=no", "--keep-unit"),
            *(f"--machine={self.machine}", f"--hostname={self.spec.name}"),
            f"--network-namespace-path={network.NETNS / self.network.namespace(self.spec.name)}",
            *("--capability=all", "--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *("--system-call-filter=@keyring bpf", *personality, *binds),
        ]

    def _settles(self) -> bool:
        """Waits until systemd has started everything; False if the host ends or time runs out."""
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            if self.leader() is not None and self.answers():
                with suppress(subprocess.TimeoutExpired, FleetError):  # too slow, or it ended meanwhile
                    done = self.exec(["systemctl", "is-system-running", "--wait"], timeout=end - time.monotonic())
                    if done.stdout.strip() in {"running", "degraded"}:
                        return True
            if not self.cgroups.pids() and self.console():
                return False
            time.sleep(0.05)
        return False


def _comm(pid: Union[int, str]) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
