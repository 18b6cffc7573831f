"""Makes each host's transport: a local process or SSH, with what all connections of a run share."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Callable, Optional, Tuple, Type

from fleet.inventory.model import Host
from fleet.secret import Reference, Secret
from fleet.standin import standing_in
from fleet.transport import Transport, dial
from fleet.transport.local import LocalTransport
from fleet.transport.login import Login
from fleet.transport.stop import Stop

if TYPE_CHECKING:
    from fleet.transport.access import Access


Fetch = Callable[[Reference], Secret]

LOOKED_UP = 0.2  # seconds for the first host's name


def import_paramiko() -> None:
    """Imports paramiko without the parser of mail that it takes to learn its own version, which nobody here asks for."""
    metadata = ModuleType("importlib.metadata")
    metadata.version = lambda _: ""  # type: ignore[attr-defined] # what paramiko asks for
    with standing_in({metadata.__name__: metadata}):
        import paramiko  # noqa: F401


class Connector:
    """The shared parts are made when the first host needs them.

    `login` is for the hosts that have no secrets of their own; those are got by `fetch`.
    """

    def __init__(self, login: Login, fetch: Fetch) -> None:
        self._login = login
        self._fetch = fetch
        self._lock = threading.Lock()
        self._begun = threading.Event()
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
        # SSH takes a quarter of the start-up time: a run that only touches this machine does without, the others dial first.
        dialled = dial.ahead(host.address, host.port, self._login.connect_timeout, stop.is_set, self._begun.set)
        self._import()
        from fleet.transport.access import Access
        from fleet.transport.ssh import SshTransport

        with self._lock:
            if self._access is None:
                self._access = Access(self._login)
        return SshTransport(host, self._access, login, stop, dialled)

    def prepare(self) -> None:
        """Imports SSH as soon as a connection is on its way, so that nobody has to wait for it when the host has answered."""
        self._begun.wait(LOOKED_UP)
        self._import()

    def _import(self) -> None:
        with self._lock:
            if "paramiko" not in sys.modules:
                import_paramiko()
            import fleet.transport.ssh  # noqa: F401

    def _own(self, host: Host, fetch: Fetch) -> Login:
        """The login with what the host has of its own."""
        password, passphrase = self._login.password, self._login.passphrase
        if host.ssh_password is not None:
            password = fetch(host.ssh_password).reveal()
        if host.key_passphrase is not None:
            passphrase = fetch(host.key_passphrase).reveal()
        return replace(self._login, password=password, passphrase=passphrase)
