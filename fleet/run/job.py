"""What is to be done with every host of a run, the same for all of them."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple

from fleet.checks import Probe
from fleet.roles.loader import Role
from fleet.rpm import Rpm
from fleet.run.selection import Selection
from fleet.secrets.resolver import Resolver
from fleet.variables import Variable

if TYPE_CHECKING:
    from fleet.saved.file import SavedPlan
    from fleet.saved.seal import Key

FACTS, CHECK, APPLY, VERIFY = "facts", "check", "apply", "verify"


def new_run() -> str:
    """A run's name: sorts by time, in UTC for whoever runs it anywhere; unique among runs that begin together."""
    now = time.time()
    fraction = int(now % 1 * 0x1000)  # two that begin in one second sort too
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{fraction:03x}{secrets.randbelow(0x1000):03x}"


def whoami() -> str:
    """Who runs it, as another run that waits for this one's lock would be told."""
    return f"{getpass.getuser()}@{socket.gethostname()} pid {os.getpid()}"


@dataclass(frozen=True)
class Job:
    """A run's mode, roles and limits.

    `complete` says that no role was left out; `inputs` are variables of the run's own, `own` those that single hosts have instead,
    `rpms` packages by their directory;
    `questions` are probes besides the roles'. `fetch` gives the secrets that the inventory refers to.
    `reboot` lets a host that needs it be started anew: `force` is whether containers may be lost.
    `undo` asks the host to go back, by its own ledger: `what` is deprovision, role, restore or copies (docs/exchange.md).
    `selection` says which checks a verification looks at; not `probed`, nothing is verified after a change.
    `keep`: the hosts' plans are to be saved; `saved` is the saved plan to carry out. Secrets in plans are sealed with `key`.
    """

    mode: str
    roles: Tuple[Role, ...] = ()
    complete: bool = True
    declared: Mapping[str, Variable] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rpms: Mapping[Path, Tuple[Rpm, ...]] = field(default_factory=dict)
    questions: Tuple[Probe, ...] = ()
    undo: Optional[Mapping[str, Any]] = None
    selection: Selection = field(default_factory=Selection)
    probed: bool = True
    reboot: Optional[Mapping[str, Any]] = None
    diff: bool = False
    timeout: float = 3600.0
    silence: float = 900.0
    lock_timeout: float = 60.0
    fetch: Resolver = field(default_factory=Resolver, repr=False)
    become_password: Optional[str] = field(default=None, repr=False)
    keep: bool = False
    saved: Optional[SavedPlan] = None
    key: Optional[Key] = None
    run: str = field(default_factory=new_run)
    who: str = field(default_factory=whoami)
