"""A lab: hosts by name on a subnet of their own, brought up and down under a lock; killed anywhere, the next call puts it right.

<state>/cache/              root file systems, looks and repositories, shared by all labs (cache.py)
<state>/labs/<name>/        id_ed25519, ssh_host_ed25519_key, known_hosts, inventory.yml, hosts/ (host.py); gone after `down`
<state>/locks/<name>        held by `up`, `down` and whatever changes the lab
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Union

from fleet.errors import FleetError, UsageError
from fleet.lab import cache, host, inventory, lock, look, machine, network, recipe, rootfs, rpms

STATE = Path("/var/lib/skiff-lab")
PARALLEL = 8
Report = Callable[[str], None]


def _silent(_line: str) -> None:
    return


class Lab:
    """The lab of a name; several live side by side."""

    def __init__(self, name: str = "lab", state_dir: Union[str, Path] = STATE) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            raise UsageError(f"{name!r} is no name for a lab.", resolution="Use up to 31 small letters, digits and dashes.")
        state = Path(state_dir).resolve()
        self.name = name
        self.directory = state / "labs" / name
        self.inventory = self.directory / "inventory.yml"
        self.identity = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"
        self._cache = state / "cache"
        self._lock = state / "locks" / name

    def up(self, count: int = 1, el: int = 9, report: Report = _silent) -> List[host.HostStatus]:
        """Makes sure that lab1 to lab<count> of the release run; hosts beyond stay as they are.

        Raises:
            FleetError: the machine cannot, or a host did not boot.
        """
        if not 1 <= count <= 200:
            raise UsageError(f"A lab has 1 to 200 hosts, not {count}.")
        names = [name for name, release in recipe.RELEASES.items() if release.enterprise]
        if f"el{el}" not in names:
            raise UsageError(f"The lab has no release {el}.", resolution=f"Choose one of {', '.join(name[2:] for name in names)}.")
        return self.boot([host.HostSpec(f"lab{index}", index, f"el{el}") for index in range(1, count + 1)], report)

    def boot(self, specs: Sequence[host.HostSpec], report: Report = _silent) -> List[host.HostStatus]:
        """Makes sure that these hosts run."""
        machine.check(self.directory)
        with lock.held(self._lock) as lock_fd:
            self._refuse_others(specs)
            self._prepare(specs, report)
            number = machine.claim(self.directory)
            machine.allow_inotify(len(specs))
            self._switch(number)
            hosts = [self._host(spec, number) for spec in specs]
            waiting = [each for each in hosts if each.status().state != "running"]
            self._write()
            _parallel(waiting, lambda each: _start(each, lock_fd, report))
            self._write()
            return [each.status() for each in hosts]

    def down(self, report: Report = _silent) -> None:
        """Removes the lab: processes, mounts, namespaces, cgroups, files. The cache stays."""
        machine.require_root()
        with lock.held(self._lock):
            number = machine.number(self.directory)
            if number is not None:
                _parallel([self._host(spec, number) for spec in self._specs()], lambda each: each.remove())
                network.Network(number).down()
            if self.directory.exists():
                cache.remove_tree(self.directory)
                report(f"{self.name}: down")
            machine.release(self.directory)

    def remove(self, name: str) -> None:
        """Removes one host."""
        with lock.held(self._lock):
            self._find(name).remove()
            self._write()

    def restart(self, name: str) -> None:
        """Cuts a host's power and boots it again with its files as they are."""
        with lock.held(self._lock) as lock_fd:
            self._find(name).boot(lock_fd)

    def set_link(self, name: str, state: str) -> None:
        """Pulls a host's network cable ("down") or plugs it in ("up")."""
        self._find(name).network.set_link(name, state)

    def mine(self) -> bool:
        """Whether there is anything of this lab that the caller may touch."""
        return os.geteuid() == 0 and (self.directory.exists() or machine.number(self.directory) is not None)

    def status(self) -> List[host.HostStatus]:
        """The lab's hosts as they are now."""
        machine.require_root()
        number = machine.number(self.directory)
        if number is None:
            return [host.HostStatus(spec.name, "", spec.release, "stopped", "") for spec in self._specs()]
        return [self._host(spec, number).status() for spec in self._specs()]

    def ssh_argv(self, name: str, user: str = "root") -> List[str]:
        """The ssh command that opens a shell on a host, or runs what is appended."""
        options = [f"UserKnownHostsFile={self.known_hosts}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes"]
        words = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", "-i", str(self.identity), *words, f"{user}@{self._find(name).address}"]

    def exec(self, name: str, argv: Sequence[str], stdin: str = "", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host as root, past SSH."""
        return self._find(name).exec(list(argv), stdin, timeout)

    def _refuse_others(self, specs: Sequence[host.HostSpec]) -> None:
        for spec in specs:
            for other in self._specs():
                if spec.name == other.name and spec != other:
                    raise FleetError(
                        f"{spec.name} is {recipe.RELEASES[other.release].title} already.",
                        f"asked for: {spec}\nis: {other}",
                        "Take the lab down first: `./inv lab.down`.",
                    )

    def _prepare(self, specs: Sequence[host.HostSpec], report: Report) -> None:
        """Builds what the hosts stand on, before any of them starts."""
        if not rootfs.is_cached(self._cache):
            report("building the hosts' root file system from Debian packages, once; about a minute")
        rootfs.root(self._cache)
        for name in sorted({spec.release for spec in specs}):
            release = recipe.RELEASES[name]
            for python in sorted({spec.python for spec in specs if spec.release == name}):
                look.layer(self._cache, release, python)
            if release.enterprise:
                rpms.repository(self._cache, name)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.directory / "hosts").mkdir(exist_ok=True)
        inventory.make_keys(self.directory)

    def _switch(self, number: int) -> None:
        switch = network.Network(number)
        if not switch.is_up():
            for spec in self._specs():
                self._host(spec, number).stop()
            switch.down()
            switch.up()

    def _specs(self) -> List[host.HostSpec]:
        files = self.directory.glob("hosts/[!.]*/spec.json")
        return sorted((host.HostSpec(**json.loads(file.read_text())) for file in files), key=lambda spec: spec.index)

    def _host(self, spec: host.HostSpec, number: int) -> host.Host:
        return host.Host(spec, host.Place(self._cache, self.directory, number))

    def _find(self, name: str) -> host.Host:
        number = machine.number(self.directory)
        spec: Optional[host.HostSpec] = next((each for each in self._specs() if each.name == name), None)
        if spec is None or number is None:
            raise UsageError(
                f"The lab {self.name} has no host {name}.", resolution="`./inv lab.status` lists them; `./inv lab.up` makes them."
            )
        return self._host(spec, number)

    def _write(self) -> None:
        inventory.write(self.directory, self.status())


def _start(each: host.Host, lock_fd: int, report: Report) -> None:
    each.create()
    each.start(lock_fd)
    report(f"{each.spec.name}: {each.release.title} at {each.address}")


def _parallel(hosts: Sequence[host.Host], action: Callable[[host.Host], None]) -> None:
    """Does it for every host, some at a time, to the end; then raises the first failure."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(action, each) for each in hosts]
    for future in futures:
        future.result()
