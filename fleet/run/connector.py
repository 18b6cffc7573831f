"""Makes each host's transport: a local process or SSH, with what all connections of a run share."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Optional, Tuple, Type

from fleet.inventory.model import Host
from fleet.secret import Reference, Secret
from fleet.transport import Transport, dial
from fleet.transport.local import LocalTransport
from fleet.transport.login import Login
from fleet.transport.stop import Stop

if TYPE_CHECKING:
    from fleet.transport.access import Access


Fetch = Callable[[Reference], Secret]


class Connector:
    """The shared parts are made when the first host needs them.

    `login` is for the hosts that have no secrets of their own; those are got by `fetch`.
    """

    def __init__(self, login: Login, fetch: Fetch) -> None:
        self._login = login
        self._fetch = fetch
        self._lock = threading.Lock()
        self._access: Optional[Access] = None

    def __reduce__(self) -> Tuple[Type[Connector], Tuple[Login, Fetch]]:
        # What is read is read anew in another process: its keys and known hosts are those of its machine.
        return Connector, (self._login, self._fetch)

    def __call__(self, host: Host, stop: Stop, fetch: Optional[Fetch] = None) -> Transport:
        """A host's transport, not yet logged in. `fetch` stands in for the one given at first.

        Raises:
            UnreachableError: ~/.ssh/config is faulty.
            UsageError: a secret of the host's cannot be had.
        """
        if host.connection == "local":
            return LocalTransport()
        login = self._own(host, fetch or self._fetch)
        # SSH takes half of the start-up time: a run that only touches this machine does without, the others dial first.
        dialled = dial.ahead(host.address, host.port, self._login.connect_timeout, stop.is_set)
        from fleet.transport.access import Access
        from fleet.transport.ssh import SshTransport

        with self._lock:
            if self._access is None:
                self._access = Access(self._login)
        return SshTransport(host, self._access, login, stop, dialled)

    def _own(self, host: Host, fetch: Fetch) -> Login:
        """The login with what the host has of its own."""
        password, passphrase = self._login.password, self._login.passphrase
        if host.ssh_password is not None:
            password = fetch(host.ssh_password).reveal()
        if host.key_passphrase is not None:
            passphrase = fetch(host.key_passphrase).reveal()
        return replace(self._login, password=password, passphrase=passphrase)
