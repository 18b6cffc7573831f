"""Makes each host's transport: a local process or SSH, with what all connections of a run share."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

from fleet.inventory.model import Host
from fleet.secret import Reference, Secret
from fleet.transport import Transport
from fleet.transport.dial import CONNECT_TIMEOUT, dial
from fleet.transport.local import LocalTransport
from fleet.transport.stop import Stop

if TYPE_CHECKING:
    from fleet.transport.hostkeys import KnownHosts


Fetch = Callable[[Reference], Secret]


class Connector:
    """The shared parts: ~/.ssh/config and known_hosts files, each read once, when the first host needs it.

    `password` is for the hosts that have none of their own; those are got by `fetch`.
    """

    def __init__(self, password: Optional[str], host_key_policy: str, fetch: Fetch) -> None:
        self._password = password
        self._fetch = fetch
        self._policy = host_key_policy
        self._lock = threading.Lock()
        self._known: Dict[Optional[Path], KnownHosts] = {}
        self._config: Any = None

    def __call__(self, host: Host, stopping: Stop) -> Transport:
        """A host's transport, not yet connected."""
        if host.connection == "local":
            return LocalTransport()
        # SSH takes half of the start-up time: a run that only touches this machine does without, the others dial first.
        password, passphrase = self._own(host.ssh_password) or self._password, self._own(host.key_passphrase)
        dialled = dial(host.address, host.port, CONNECT_TIMEOUT)
        from fleet.transport.hostkeys import KnownHosts
        from fleet.transport.ssh import Login, SshTransport

        login = Login(password, passphrase)
        with self._lock:
            if self._config is None:
                self._config = login.config()
            if host.known_hosts not in self._known:
                self._known[host.known_hosts] = KnownHosts.of(host.known_hosts, self._policy)
        return SshTransport(host, login, self._config, self._known[host.known_hosts], stopping.wait, dialled)

    def _own(self, reference: Optional[Reference]) -> Optional[str]:
        return self._fetch(reference).reveal() if reference is not None else None
