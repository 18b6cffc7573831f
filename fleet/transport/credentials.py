"""What is offered to a server to be let in: keys of files and of an agent, then a password. A file is read once for all hosts."""

from __future__ import annotations

import base64
import contextlib
import threading
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.auth_strategy import AuthResult, AuthSource, AuthStrategy
from paramiko.ssh_exception import PasswordRequiredException

from fleet.transport.login import Login
from fleet.transport.route import Hop

DEFAULT_KEYS = tuple(Path("~/.ssh") / f"id_{name}" for name in ("ed25519", "ecdsa", "rsa"))
BY_PASSWORD = "password"  # noqa: S105 # a method's name

Loaded = Union[paramiko.PKey, Exception]
Attempt = Tuple[str, Callable[[paramiko.Transport], List[str]]]


class Keys:
    """The private keys of files. Deriving a key from a passphrase takes a tenth of a second: it is done once for all hosts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Dict[Tuple[Path, Optional[str]], Loaded] = {}

    def load(self, path: Path, passphrase: Optional[str]) -> paramiko.PKey:
        """The key in a file, with the certificate beside it if there is one.

        Raises:
            OSError: the file cannot be read.
            PasswordRequiredException: it is encrypted, and there is no passphrase, or a wrong one.
            SSHException: it holds no private key.
        """
        with self._lock:
            if (path, passphrase) not in self._loaded:
                self._loaded[path, passphrase] = attempt(path, passphrase)
            found = self._loaded[path, passphrase]
        if isinstance(found, Exception):
            raise found
        return found


def attempt(path: Path, passphrase: Optional[str]) -> Loaded:
    """A file's key, or why it cannot be had."""
    try:
        return read(path, passphrase.encode() if passphrase else None)
    except (OSError, paramiko.SSHException) as error:
        return error


def read(path: Path, passphrase: Optional[bytes]) -> paramiko.PKey:
    """Reads a file; raises as `Keys.load` does."""
    try:
        return paramiko.PKey.from_path(path)
    except TypeError:
        # So cryptography says of a key that wants a passphrase.
        if passphrase is None:
            raise PasswordRequiredException(f"{path} is encrypted, and there is no passphrase for it") from None
    except (ValueError, UnsupportedAlgorithm, paramiko.pkey.UnknownKeyType) as error:
        raise paramiko.SSHException(f"{path} holds no private key of type ed25519, ecdsa or rsa") from error
    try:
        return paramiko.PKey.from_path(path, passphrase)  # type: ignore[arg-type] # cryptography wants bytes
    except (ValueError, paramiko.SSHException) as error:
        raise PasswordRequiredException(f"the passphrase does not open {path}") from error


class Offers(AuthStrategy):
    """One login's offers, in order: the keys named for it, those of an agent, the usual files if none is named, the password."""

    def __init__(self, hop: Hop, keys: Keys, login: Login) -> None:
        super().__init__(paramiko.SSHConfig())
        self._hop = hop
        self._keys = keys
        # The password is the host's: no jump host is to see it.
        self._password = None if hop.jump else login.password
        self._passphrase = login.passphrase or login.password
        self._locked: Optional[PasswordRequiredException] = None

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Logs in; a server that wants a password besides a key is given it.

        Raises:
            PasswordRequiredException: nothing was accepted, and a key could not be opened.
            AuthenticationException: nothing was accepted; its text says what was offered.
            OSError: a key that must be there cannot be read.
        """
        refused: List[str] = []
        key_accepted = False
        with contextlib.closing(paramiko.Agent()) as agent:
            for name, offer in self._attempts(agent):
                if key_accepted and name != BY_PASSWORD:
                    continue
                try:
                    further = offer(transport)
                except (paramiko.SSHException, EOFError) as error:
                    refused.append(f"{name}: {str(error) or type(error).__name__}")
                    if not transport.is_active():
                        break
                    continue
                if not further:
                    return AuthResult(self)
                key_accepted = True
                refused.append(f"{name}: accepted, and {' or '.join(further)} asked for")
        if self._locked is not None:
            raise self._locked
        raise paramiko.AuthenticationException("; ".join(refused) or "there was nothing to offer")

    def get_sources(self) -> Iterator[AuthSource]:
        """Nothing: what is offered next depends on what became of the last."""
        return iter(())

    def _attempts(self, agent: paramiko.Agent) -> Iterator[Attempt]:
        held = {key.asbytes(): key for key in agent.get_keys()}
        for path in self._hop.keys or (() if self._hop.only_these else DEFAULT_KEYS):
            key = self._key(path.expanduser(), held)
            if key is not None:
                held.pop(key.asbytes(), None)
                yield f"key {path}", self._publickey(key)
        for key in held.values():
            if not self._hop.only_these:
                yield f"key {key.fingerprint} of the agent", self._publickey(key)
        if self._password is not None:
            yield BY_PASSWORD, self._by_password

    def _key(self, path: Path, held: Mapping[bytes, paramiko.AgentKey]) -> Optional[paramiko.PKey]:
        """The key of a file, or the agent's of which the public half lies beside it."""
        public = Path(f"{path}.pub")
        try:
            with contextlib.suppress(OSError, ValueError, IndexError):
                blob = base64.b64decode(public.read_text("ascii").split()[1])
                if blob in held:
                    return held[blob]
            return self._keys.load(path, self._passphrase)
        except PasswordRequiredException as error:
            self._locked = self._locked or error
        except (OSError, paramiko.SSHException):
            if path in self._hop.required:
                raise
        return None

    def _publickey(self, key: paramiko.PKey) -> Callable[[paramiko.Transport], List[str]]:
        return lambda transport: transport.auth_publickey(self._hop.user, key)

    def _by_password(self, transport: paramiko.Transport) -> List[str]:
        assert self._password is not None
        # A server that takes no password, but asks for one at a keyboard, is answered with it by paramiko.
        return transport.auth_password(self._hop.user, self._password)
