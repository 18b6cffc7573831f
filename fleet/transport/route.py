"""The way to a host: the hops to log in to, one through the other, from the inventory and OpenSSH's configuration."""

from __future__ import annotations

import getpass
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import paramiko

from fleet.errors import UnreachableError, UsageError
from fleet.inventory.model import Host
from fleet.inventory.patterns import Literal, parse_literal
from fleet.transport.hostkeys import SYSTEM_FILE, USER_FILE, entry_name
from fleet.transport.policies import ACCEPT_NEW, STRICT
from fleet.transport.sshconfig import Config

LONGEST = 16
NONE = "none"
CHECKING = {"yes": STRICT, "accept-new": ACCEPT_NEW}


@dataclass(frozen=True)
class Hop:
    """One login on the way.

    `keys` are the files named for it, of which `required` must be there; with `only_these` no other key is offered. `key_name` is
    its name in known_hosts files. `policy` is the host key policy that its configuration asks for, or empty.
    """

    address: str
    port: int
    user: str
    keys: Tuple[Path, ...] = ()
    required: Tuple[Path, ...] = ()
    only_these: bool = False
    known_hosts: Tuple[Path, ...] = ()
    key_name: str = ""
    policy: str = ""
    command: str = ""
    connect_timeout: Optional[int] = None
    jump: bool = False

    @property
    def place(self) -> str:
        """Its address and port in known_hosts' form."""
        return entry_name(self.address, self.port)

    @property
    def target(self) -> str:
        """Where it is, as a person would be told."""
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'jump host ' if self.jump else ''}{where} port {self.port}"


def route(host: Host, config: Config) -> List[Hop]:
    """The hops to a host, which is the last of them.

    Raises:
        UnreachableError: the configuration is faulty, or leads in a circle.
    """
    first = config.over(host.ssh_options)
    *before, last = hops(host.address, host.user, host.port, config, (), LONGEST, first)
    if host.identity_file is not None:
        last = replace(last, keys=(host.identity_file, *last.keys), required=(host.identity_file,))
    way = [*(replace(each, jump=True) for each in before), last]
    return way if host.known_hosts is None else [replace(each, known_hosts=(host.known_hosts,)) for each in way]


def hops(
    address: str,
    user: Optional[str],
    port: Optional[int],
    config: Config,
    through: Sequence[str],
    left: int,
    first: Optional[Config] = None,
) -> List[Hop]:
    """The hops to an address; `through` are jump hosts that stand in the place of its own, `first` its own configuration."""
    found = (first or config).lookup(address, user, port)
    last = hop(address, user, port, found)
    *before, nearest = through or jump_words(found) or [""]
    if not nearest:
        return [last]
    to = parsed(nearest)
    if config.lookup(to.address)["hostname"] == last.address and to.port in (None, last.port):
        # `Host *` with ProxyJump means the jump host itself too, which is met directly.
        return [last]
    if not left:
        raise UnreachableError(f"ProxyJump leads in a circle at {nearest}", "", "see ~/.ssh/config")
    return [*hops(to.address, to.user, to.port, config, before, left - 1), replace(last, command="")]


def jump_words(found: paramiko.SSHConfigDict) -> List[str]:
    """The jump hosts of a configuration, the first to log in to first."""
    text = found.get("proxyjump") or NONE
    return [] if text.lower() == NONE else [word.strip() for word in text.split(",")]


def hop(address: str, user: Optional[str], port: Optional[int], found: paramiko.SSHConfigDict) -> Hop:
    """A hop as configured; what is given comes first."""
    name = found.get("hostname", address)
    settled = port or number(found, "port") or 22
    return Hop(
        address=name,
        port=settled,
        user=user or found.get("user") or getpass.getuser(),
        keys=tuple(Path(key).expanduser() for key in found.get("identityfile", ()) if key.lower() != NONE),
        only_these=found.get("identitiesonly", "no").lower() == "yes",
        known_hosts=known_files(found),
        key_name=found.get("hostkeyalias") or entry_name(name, settled),
        policy=CHECKING.get(found.get("stricthostkeychecking", "").lower(), ""),
        command=command(found),
        connect_timeout=number(found, "connecttimeout"),
    )


def command(found: paramiko.SSHConfigDict) -> str:
    """The ProxyCommand, unless ProxyJump comes before it."""
    return "" if jump_words(found) else found.get("proxycommand") or ""


def known_files(found: paramiko.SSHConfigDict) -> Tuple[Path, ...]:
    """The known_hosts files: the user's, named or not, and the system's."""
    user = shlex.split(found.get("userknownhostsfile", "")) or [str(USER_FILE)]
    system = shlex.split(found.get("globalknownhostsfile", "")) or [str(SYSTEM_FILE)]
    return tuple(Path(os.devnull if name.lower() == NONE else name).expanduser() for name in (*user, *system))


def number(found: paramiko.SSHConfigDict, key: str) -> Optional[int]:
    """A number of the configuration.

    Raises:
        UnreachableError: it is none.
    """
    text = found.get(key)
    if text is None:
        return None
    if not text.isdigit():
        raise UnreachableError(f"~/.ssh/config: {key} should be a number, not {text!r}")
    return int(text) or None


def parsed(word: str) -> Literal:
    """A jump host as ProxyJump writes it: [user@]host[:port], or a URI of ssh.

    Raises:
        UnreachableError: it is neither.
    """
    text = word[len("ssh://") :] if word.startswith("ssh://") else word
    try:
        return parse_literal(text.rstrip("/"))
    except UsageError as error:
        raise UnreachableError(f"ProxyJump: {error.brief.partition(': ')[2]}", error.details, "see ~/.ssh/config") from error
