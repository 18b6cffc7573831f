"""Faults that strike a live host at a moment of a run: what is done to it, how it is healed, and what the run must say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Tuple

from fleet.lab import Lab

NAME = "faulty"
FAKETIME = "/usr/lib/lab-faketime.so"
Strike = Callable[[Lab], object]
Moment = Tuple[str, str]

# An event of the run's record, and the resource that it is about.
BEFORE, FACTS, CONTENTS, CHECKS = ("", ""), ("facts", ""), ("plan", ""), ("result", "command:count")
UNPACKING, INSTALLING, PAUSE = ("begin", "archive:/var/lib/load/tree"), ("begin", "package:present:jq"), ("begin", "command:pause")
OWN, AGENT_HOME, UNITS = "/var/lib/load", "/var/lib/skiff-agent", "/etc/systemd/system"
DROPIN = f"{UNITS}/load.service.d"
AGENT = f"'[p]ython.* {AGENT_HOME} '"


def shell(script: str) -> Strike:
    """Runs it on the host, past SSH."""

    def strike(lab: Lab) -> None:
        lab.exec(NAME, ["sh", "-c", script])

    return strike


def nothing(_: Lab) -> None:
    """Heals by itself."""


def restart(lab: Lab) -> None:
    """Cuts the power and boots the host again."""
    lab.restart(NAME)


@dataclass(frozen=True)
class Fault:
    """`told` is searched for, as a regular expression, in what the run says; 0 among `statuses` means that it is survived."""

    name: str
    at: Moment
    strike: Strike
    told: str
    heal: Strike = nothing
    statuses: Tuple[int, ...] = (2,)
    options: Tuple[str, ...] = ()


LOST = r"connection to .* was lost|agent ended before it was done"
SPENT = "the host's time has run out"
SURVIVED = r"\bchanged=1[01]\b"
BRIEFLY = ("--timeout", "6")
UNMOUNT = f"umount {OWN}"


def cut(moment: str, at: Moment, told: str = LOST) -> Fault:
    """Sshd's processes for the session are killed."""
    return Fault(f"session killed {moment}", at, shell("pkill -9 -f '^sshd: root'"), told)


def unplugged(moment: str, at: Moment) -> Fault:
    """The host's network cable is pulled."""
    plug = (lambda lab: lab.set_link(NAME, "down")), (lambda lab: lab.set_link(NAME, "up"))
    return Fault(f"cable pulled {moment}", at, plug[0], SPENT, plug[1], options=BRIEFLY)


def signalled(name: str, moment: str, at: Moment, told: str, heal: Strike = nothing, options: Tuple[str, ...] = ()) -> Fault:
    """The agent gets a signal."""
    return Fault(f"agent gets {name} {moment}", at, shell(f"pkill -{name} -f {AGENT}"), told, heal, options=options)


def restarted(moment: str, at: Moment) -> Fault:
    """The power fails."""
    return Fault(f"power cut {moment}", at, restart, LOST)


def small(name: str, path: str, options: str, told: str) -> Fault:
    """A directory lies on a file system that is too small."""
    mount = f"mkdir -p -m 0700 {path}; mount -t tmpfs -o mode=0700,{options} tmpfs {path}"
    return Fault(name, BEFORE, shell(mount), told, shell(f"umount {path}"))


def read_only(name: str, path: str, at: Moment = BEFORE) -> Fault:
    """A directory is mounted read-only."""
    mount = f"mkdir -p -m 0700 {path}; mount --bind {path} {path}; mount -o remount,bind,ro {path}"
    return Fault(name, at, shell(mount), f"{path}.* is on a read-only file system", shell(f"umount {path}"))


def clock(name: str, skew: str) -> Fault:
    """The host's clock is wrong for the agent and every program that it starts; sshd's sandbox bears no such library."""
    wrapper = "/usr/libexec/platform-python"
    script = f'#!/bin/sh\nexport LD_PRELOAD={FAKETIME} FAKETIME={skew}\nexec /usr/bin/python3 "$@"'
    return Fault(name, BEFORE, shell(f"echo '{script}' > {wrapper}; chmod 755 {wrapper}"), SURVIVED, shell(f"rm {wrapper}"), (0,))


DNF_LOCK = "/var/cache/dnf/metadata_lock.pid"
HOLD_DNF = (
    f"mkdir -p /var/cache/dnf; rm -f {DNF_LOCK}; systemd-run -q --collect --unit=fault python3 -c 'import os, time; "
    f'os.write(os.open("{DNF_LOCK}", os.O_WRONLY | os.O_CREAT), str(os.getpid()).encode()); time.sleep(%d)\'; '
    f"until test -s {DNF_LOCK}; do sleep 0.1; done"
)
FAULTS = (
    # The way to the host.
    cut("at the facts", FACTS),
    cut("while contents are sent", CONTENTS),
    cut("while unpacking", UNPACKING),
    cut("in a transaction", INSTALLING),
    cut("in a command", PAUSE),
    cut("in the checks", CHECKS),
    unplugged("while contents are sent", CONTENTS),
    unplugged("in a transaction", INSTALLING),
    unplugged("in a command", PAUSE),
    Fault("sshd restarted in a command", PAUSE, shell("systemctl restart ssh"), SURVIVED, statuses=(0,)),
    Fault("sshd stopped", BEFORE, shell("systemctl stop ssh"), "refuses connections", shell("systemctl start ssh"), (3,)),
    Fault(
        "root's shell is noisy",
        BEFORE,
        shell("echo 'echo Welcome; echo careful >&2' > /root/.bashrc"),
        SURVIVED,
        shell("rm /root/.bashrc"),
        (0,),
    ),
    Fault(
        "root's shell hangs",
        BEFORE,
        shell("echo 'sleep 60' > /root/.bashrc"),
        SPENT,
        shell("rm /root/.bashrc; pkill sleep"),
        options=BRIEFLY,
    ),
    Fault(
        "root's shell ends at once",
        BEFORE,
        shell("echo 'exit 3' > /root/.bashrc"),
        "the login shell ran nothing",
        shell("rm /root/.bashrc"),
    ),
    # The agent.
    signalled("KILL", "while contents are sent", CONTENTS, LOST),
    signalled("KILL", "while unpacking", UNPACKING, LOST),
    signalled("KILL", "in a transaction", INSTALLING, LOST),
    signalled("KILL", "in a command", PAUSE, LOST),
    signalled("KILL", "in the checks", CHECKS, LOST),
    signalled("TERM", "while unpacking", UNPACKING, "not done: .*link:"),
    signalled("TERM", "in a command", PAUSE, "not done: .*link:"),
    signalled("STOP", "in a command", PAUSE, SPENT, shell(f"pkill -CONT -f {AGENT}"), options=BRIEFLY),
    # The machine.
    restarted("at the facts", FACTS),
    restarted("while contents are sent", CONTENTS),
    restarted("while unpacking", UNPACKING),
    restarted("in a transaction", INSTALLING),
    restarted("in a command", PAUSE),
    clock("the clock is a year ahead", "+400d"),
    clock("the clock is years behind", "-4000d"),
    # Disks.
    small("no room for a file", OWN, "size=64k", f"no space left to write {OWN}/a"),
    small("no room for an archive", OWN, "size=4m", f"no space left to write {OWN}/tree"),
    small("no inodes for an archive", OWN, "nr_inodes=12", f"no space left to write {OWN}/tree"),
    small("no room for the agent", AGENT_HOME, "size=16k", f"no space left to write {AGENT_HOME}"),
    small("no room for the spool", AGENT_HOME, "size=2m", f"no space left to write {AGENT_HOME}/spool"),
    read_only("files are read-only", OWN),
    read_only("units are read-only", UNITS),
    read_only("the agent's home is read-only", AGENT_HOME),
    read_only("units become read-only", UNITS, PAUSE),
    # What lies in the way.
    Fault(
        "a file where a directory should be",
        BEFORE,
        shell(f"echo x > {OWN}"),
        f"{OWN} is .*not a directory|not a directory.*{OWN}",
        shell(f"rm {OWN}"),
    ),
    Fault(
        "a directory where a file should be", BEFORE, shell(f"mkdir -p {OWN}/a"), f"{OWN}/a is a directory", shell(f"rmdir {OWN}/a")
    ),
    Fault(
        "a file where an archive should be",
        BEFORE,
        shell(f"mkdir -p {OWN}; echo x > {OWN}/tree"),
        f"{OWN}/tree is not a directory",
        shell(f"rm {OWN}/tree"),
    ),
    Fault(
        "a broken JSON file",
        BEFORE,
        shell(f"mkdir -p {OWN}; printf '{{' > {OWN}/settings.json"),
        f"{OWN}/settings.json",
        shell(f"rm {OWN}/settings.json"),
    ),
    Fault(
        "a file that is a mount point",
        BEFORE,
        shell(f"mkdir -p {OWN}; echo x > {OWN}/b; mount --bind /etc/hostname {OWN}/b"),
        f"{OWN}/b is in use, or something is mounted on it",
        shell(f"umount {OWN}/b"),
    ),
    # What the agent keeps.
    Fault(
        "the agent's home is open to all",
        BEFORE,
        shell(f"mkdir -p {AGENT_HOME}; chmod 0777 {AGENT_HOME}"),
        f"{AGENT_HOME} can be changed by others",
        shell(f"rm -r {AGENT_HOME}"),
    ),
    Fault(
        "the agent's home leads elsewhere",
        BEFORE,
        shell(f"mkdir -m 0700 /var/tmp/x; ln -s /var/tmp/x {AGENT_HOME}"),
        f"{AGENT_HOME} can be changed by others",
        shell(f"rm -r {AGENT_HOME} /var/tmp/x"),
    ),
    Fault(
        "pending restarts are garbage",
        BEFORE,
        shell(f"mkdir -m 0700 {AGENT_HOME}; echo '[1' > {AGENT_HOME}/pending.json"),
        SURVIVED,
        statuses=(0,),
    ),
    Fault(
        "the lock leads elsewhere",
        BEFORE,
        shell("rm -f /run/skiff-agent.lock; ln -s /etc/passwd /run/skiff-agent.lock"),
        "/run/skiff-agent.lock",
        shell("rm /run/skiff-agent.lock"),
    ),
    Fault(
        "a dead run's lock", BEFORE, shell('echo \'{"who": "a ghost", "pid": 1}\' > /run/skiff-agent.lock'), SURVIVED, statuses=(0,)
    ),
    # Packages and units.
    Fault("another package manager, for a while", BEFORE, shell(HOLD_DNF % 4), SURVIVED, statuses=(0,)),
    Fault(
        "another package manager, for long",
        BEFORE,
        shell(HOLD_DNF % 60),
        r"another package manager is at work: process \d+ \(python3\S*\); waiting for it",
        shell("systemctl stop fault"),
        options=BRIEFLY,
    ),
    Fault(
        "the package manager is killed",
        INSTALLING,
        shell("pkill -9 -x dnf; pkill -9 -f '[b]in/dnf'"),
        "dnf could not install jq|agent ended",
    ),
    Fault(
        "the package database is damaged",
        BEFORE,
        shell("cp -a /var/lib/rpm /var/tmp/; for f in /var/lib/rpm/rpmdb.sqlite*; do echo x > $f; done"),
        "the package database cannot be read",
        shell("rm -r /var/lib/rpm; mv /var/tmp/rpm /var/lib/rpm"),
    ),
    Fault(
        "a repository is gone",
        BEFORE,
        shell("dnf -q clean all; sed -i.was s,share/lab,share/gone, /etc/yum.repos.d/lab.repo"),
        "jq",
        shell("mv /etc/yum.repos.d/lab.repo.was /etc/yum.repos.d/lab.repo"),
    ),
    Fault(
        "a unit does not start",
        BEFORE,
        shell(f"mkdir -p {DROPIN}; printf '[Service]\\nExecStartPre=/bin/false\\n' > {DROPIN}/x.conf"),
        "load.service",
        shell(f"rm -r {DROPIN}; systemctl daemon-reload"),
    ),
)
# One of each sort is struck at every test; the others take minutes, and are `long`.
OFTEN = {
    "session killed while contents are sent",
    "cable pulled in a command",
    "root's shell hangs",
    "agent gets KILL while unpacking",
    "agent gets TERM in a command",
    "power cut in a transaction",
    "the clock is years behind",
    "no room for an archive",
    "units become read-only",
    "a file that is a mount point",
    "the agent's home leads elsewhere",
    "another package manager, for a while",
    "the package database is damaged",
    "a unit does not start",
}
