"""Puts hosts into pull mode, asks how they fare in it, and takes them out: runs like any other, with a role made for them."""

from __future__ import annotations

import json
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Mapping, Tuple, Union
from urllib.parse import urlsplit

from fleet.content import Content
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.facts import Facts
from fleet.inventory.patterns import select
from fleet.progress.output import write_error
from fleet.pull import program
from fleet.pull.directory import PLAIN
from fleet.pull.keys import Keys
from fleet.puller.settings import FORMAT
from fleet.resources import Archive, Command, Directory, File, Handler, Resource, Template, Unit
from fleet.roles import defaults
from fleet.roles.loader import BUILT_IN, Role, nothing
from fleet.run import again, task
from fleet.run.connector import Connector
from fleet.run.inventories import open_inventory
from fleet.run.task import Options
from fleet.saved.seal import Key, own_key
from fleet.secret import Secret
from fleet.variables import Variables

ROLE = "pull"
NAME = "inventory_name"  # a variable of the run's own
SETTINGS = "/etc/skiff-pull"
PROGRAM = "/usr/local/lib/skiff-pull"
UNITS = "/etc/systemd/system"
SERVICE, TIMER = "skiff-pull.service", "skiff-pull.timer"
KEPT = "/var/lib/skiff-agent/pull"
WEB = "https://"
BY_HTTPS = (WEB, "git+https://")
GIT = ("git+https://", "git+ssh://", "git+file://")
PROXY = "SKIFF_PULL_PROXY"  # in the environment
SPAN = re.compile(r"[1-9][0-9]*(s|m|min|h|d)?|0s?")


@dataclass(frozen=True)
class Source:
    """Where hosts take their state from, and how often. `ca` is a certificate in PEM, instead of the host's own ones."""

    address: str
    branch: str = ""
    ca: str = ""
    proxy: str = ""
    every: str = "30min"
    jitter: str = "10min"
    accept_older: bool = False


def source(address: str, branch: str, ca: str, proxy: str, every: str, jitter: str, accept_older: bool) -> Source:
    """The source that options name.

    Raises:
        UsageError: one of them is faulty.
    """
    if not address:
        raise UsageError(
            "--from is missing", resolution="name where states are published: https://HOST/PATH or git+https://HOST/REPO"
        )
    parts = urlsplit(address)
    if not address.startswith((WEB, *GIT)):
        raise UsageError(
            f"--from {address}: should begin with {', '.join((WEB, *GIT))}", resolution="states are taken over HTTPS or by git"
        )
    if parts.password or (parts.username and address.startswith(BY_HTTPS)):
        raise UsageError(
            "--from: has a login in it, which others would see", resolution="what is published is signed and sealed: it needs none"
        )
    if any(ord(letter) <= ord(" ") for letter in address) or not (parts.hostname or address.startswith("git+file:///")):
        raise UsageError(f"--from {address}: is no address")
    for option, text in (("--proxy", proxy), ("--ca", ca)):
        if text and not address.startswith(BY_HTTPS):
            raise UsageError(f"{option}: only a source over HTTPS has one")
    if branch and not address.startswith(GIT):
        raise UsageError("--branch: only a git repository has branches")
    if branch.startswith("-") or not re.fullmatch(r"[A-Za-z0-9._/-]*", branch):
        raise UsageError(f"--branch {branch}: is no name of a branch")
    for option, text in (("--every", every), ("--jitter", jitter)):
        if not SPAN.fullmatch(text):
            raise UsageError(f"{option} {text}: should be a time such as 30min, 2h or 45s")
    branch = branch or ("main" if address.startswith(GIT) else "")
    return Source(address, branch, certificates(ca), proxy_to(address, proxy), every, jitter, accept_older)


def proxy_to(address: str, given: str) -> str:
    """The proxy on the way to a source: the one that is given, else, where the source is one over HTTPS, the environment's.

    Raises:
        UsageError: it is faulty.
    """
    if "@" in given:
        raise UsageError("--proxy: has a login in it, which others can see", resolution=f"set {PROXY} instead")
    inherited = os.environ.get(PROXY, "") if address.startswith(BY_HTTPS) else ""
    proxy = given or inherited
    if proxy and not (urlsplit(proxy).scheme == "http" and urlsplit(proxy).hostname):
        raise UsageError(f"{'--proxy' if given else PROXY}: should be http://HOST:PORT")
    return proxy


def certificates(path: str) -> str:
    """The certificates in a file.

    Raises:
        UsageError: it cannot be read, or has none.
    """
    if not path:
        return ""
    try:
        text = Path(path).read_text("ascii")
        ssl.create_default_context(cadata=text)
    except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
        raise UsageError(f"--ca {path}: has no certificate in PEM", str(error)) from error
    return text


def install(options: Options, wanted: Source, mode: str) -> Tuple[List[HostOutcome], int]:
    """Puts hosts into pull mode.

    Raises:
        UsageError: an option, the inventory or the key is faulty; nothing was connected to.
    """
    task.check_options(options)
    inventory = open_inventory(options.inventory)
    _, declared, _ = task.open_roles(options)
    defaults.check(declared, inventory.variables())
    key = own_key(make=True)
    assert key is not None
    role = role_of(wanted, Keys().public(), key)
    hosts = select(inventory, again.expanded(options.hosts, inventory.names, write_error), {})
    named = {host.name: {NAME: host.name} for host in hosts}
    job = task.job(options, mode=mode, roles=(role,), complete=True, declared=declared, own=named)
    return task.execute("pull.install", job, hosts, Connector(task.login(options), job.fetch), options, quiet=False)


def remove(options: Options, mode: str) -> Tuple[List[HostOutcome], int]:
    """Takes hosts out of pull mode: what the role changed is put back."""
    return task.provision("pull.remove", mode, options, undo={"what": "role", "role": ROLE, "force": False})


def role_of(wanted: Source, keys: Mapping[str, str], key: Key) -> Role:
    """The role of hosts that pull."""

    def refusals(facts: Facts, variables: Variables) -> List[str]:
        name = variables.string(NAME)
        found = (
            [] if PLAIN.fullmatch(name) else [f"{name} is no plain name: give the host one of letters, digits, dots and dashes."]
        )
        return found + ([] if facts.systemd else ["this host has no systemd, whose timer would begin each pull."])

    def resources(facts: Facts, variables: Variables) -> List[Union[Resource, Handler]]:
        return pulled(facts, variables.string(NAME), wanted, keys, key)

    templates = BUILT_IN.parent / "templates" / ROLE
    return Role(ROLE, templates, {}, refusals, resources, nothing, nothing, nothing)


def pulled(facts: Facts, host: str, wanted: Source, keys: Mapping[str, str], key: Key) -> List[Union[Resource, Handler]]:
    """What a host in pull mode has: the program, its settings and keys, a service, a timer."""
    python = str(facts.raw["python"]["path"])
    settings = {
        "format": FORMAT,
        "source": wanted.address,
        "reference": wanted.branch,
        "host": host,
        "keys": dict(keys),
        "ca": wanted.ca,
        "proxy": wanted.proxy,
        "patience": 600,
    }
    text = json.dumps(settings, indent=1, sort_keys=True).encode() + b"\n"
    files = [f"{UNITS}/{name}" for name in (SERVICE, TIMER)]
    return [
        *needs(wanted),
        Directory(SETTINGS, mode="0700"),
        # A proxy's password may stand in it.
        File(f"{SETTINGS}/settings.json", Content.of(text), mode="0600", secret=bool(wanted.proxy)),
        File(f"{SETTINGS}/host.key", Content.of(Secret(key.of_host(host) + "\n")), mode="0600"),
        Archive(PROGRAM, program.archive(), compile_with=python),
        *([forget()] if wanted.accept_older else []),
        Template(files[0], f"{SERVICE}.j2", {"python": python, "program": PROGRAM}),
        Template(files[1], f"{TIMER}.j2", {"every": wanted.every, "jitter": wanted.jitter}),
        Unit(SERVICE),  # that systemd has read it
        Unit(TIMER, enabled=True, active=True, restart_on=(f"file:{files[1]}",)),
    ]


def needs(wanted: Source) -> Iterator[Command]:
    """Refuses a host that lacks a program, before anything is changed there."""
    for name in ("openssl", *(("git",) if wanted.address.startswith(GIT) else ())):
        complaint = f"echo {name} is not on this host: install the package {name}; exit 1"
        yield Command(f"{name} for pull mode", ("/bin/sh", "-c", complaint), unless=("/bin/sh", "-c", f"command -v {name}"))


def forget() -> Command:
    """Lets an older state come, once: the host forgets what it took."""
    taken = f"{KEPT}/taken.json"
    return Command("accept an older state", ("/bin/rm", "-f", taken), unless=("/usr/bin/test", "!", "-e", taken))
