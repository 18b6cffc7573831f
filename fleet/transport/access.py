"""What all connections of a run share: OpenSSH's configuration, known hosts and keys, each read once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Dict, Tuple

import fabric
import paramiko

from fleet.transport import sshconfig
from fleet.transport.credentials import Keys
from fleet.transport.hostkeys import KnownHosts, Policy
from fleet.transport.login import Login
from fleet.transport.policies import OFF, stricter
from fleet.transport.route import Hop


class Access:
    """Made when the first host needs it. `login` is the run's; a host's own may have other secrets, and nothing else.

    Raises:
        UnreachableError: OpenSSH's configuration cannot be read.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self.config = sshconfig.read()
        self.keys = Keys()
        self._lock = threading.Lock()
        self._known: Dict[Tuple[Path, ...], KnownHosts] = {}

    def fabric(self) -> fabric.Config:
        """The configuration of one connection: a connection writes to its own, and others would see it half written.

        Hops are settled by `route`: Fabric is to look nothing up and to read no file of its own, which may name a gateway.
        """
        return fabric.Config(overrides={"load_ssh_configs": False}, lazy=True)

    def known(self, hop: Hop) -> KnownHosts:
        """The known hosts that count for a hop.

        Raises:
            UnreachableError: a file of them cannot be read.
        """
        with self._lock:
            if hop.known_hosts not in self._known:
                self._known[hop.known_hosts] = KnownHosts(hop.known_hosts)
            return self._known[hop.known_hosts]

    def check(self, hop: Hop, client: paramiko.SSHClient) -> KnownHosts:
        """Has a client accept the keys that are known for a hop, and no others but by the policy."""
        known = self.known(hop)
        policy = stricter(self.login.policy, hop.policy or OFF)
        if policy != OFF:
            for kind, key in known.of_host(hop.key_name):
                client.get_host_keys().add(hop.place, kind, key)
        client.set_missing_host_key_policy(Policy(known, policy, hop.key_name, hop.address, hop.port))
        return known

    def seconds(self, hop: Hop) -> float:
        """How long one attempt to connect to a hop may take."""
        return min(hop.connect_timeout or self.login.connect_timeout, self.login.limit)

    def patience(self, hop: Hop, usual: float) -> float:
        """How long a later step of it may take: who gives a slow host more time to connect gives it that here too."""
        return min(max(usual, self.seconds(hop)), self.login.limit)
