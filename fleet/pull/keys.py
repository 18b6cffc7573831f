"""The keys that sign what is published: ECDSA on P-256, which every openssl from 1.0.2 on verifies.

<state>/skiff/pull/keys/        0700
    <name>.pem                  0600; the private key, encrypted if it has a passphrase
    <name>.pub                  the public key, which hosts are given
    current                     the name of the key that signs
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Optional

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fleet import state
from fleet.errors import UsageError

CURRENT = "current"
MAKE = "`./inv pull.key` makes one"


class Keys:
    """The keys of this control machine, or of a directory."""

    def __init__(self, directory: Optional[Path] = None) -> None:
        self.directory = directory or state.directory() / "pull" / "keys"

    @property
    def names(self) -> List[str]:
        """All of them."""
        return sorted(path.stem for path in self.directory.glob("*.pem"))

    @property
    def current(self) -> str:
        """The one that signs; nothing where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / CURRENT).read_text("ascii").strip()
        return ""

    def make(self, passphrase: Optional[str]) -> str:
        """A new key's name. The first one becomes the one that signs.

        Raises:
            UsageError: it cannot be written.
        """
        private = ec.generate_private_key(ec.SECP256R1())
        pem, how = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        name = hashlib.sha256(der).hexdigest()[:16]
        try:
            state.prepare(self.directory)
            public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
            write(self.directory / f"{name}.pub", public)
            write(self.directory / f"{name}.pem", private.private_bytes(pem, how, lock))
            if not self.current:
                write(self.directory / CURRENT, f"{name}\n".encode())
        except OSError as error:
            raise UsageError(f"{self.directory}: a key cannot be written there: {error.strerror}") from error
        return name

    def use(self, name: str) -> None:
        """Have a key sign from now on.

        Raises:
            UsageError: there is no such key.
        """
        self._insist(name)
        write(self.directory / CURRENT, f"{name}\n".encode())

    def drop(self, name: str) -> None:
        """Destroy a key that does not sign.

        Raises:
            UsageError: it does, or there is no such key.
        """
        self._insist(name)
        if name == self.current:
            raise UsageError(f"{name} is the key that signs", resolution="have another one sign first: ./inv pull.key --use NAME")
        for suffix in (".pem", ".pub"):
            (self.directory / f"{name}{suffix}").unlink()

    def public(self) -> Dict[str, str]:
        """The public keys by name, which hosts are to accept.

        Raises:
            UsageError: there is none.
        """
        if not self.names:
            raise UsageError(f"{self.directory}: there is no key to sign with", resolution=MAKE)
        return {name: (self.directory / f"{name}.pub").read_text("ascii") for name in self.names}

    def signer(self, ask: Callable[[], Optional[str]]) -> Signer:
        """What signs with the current key; `ask` gives its passphrase, where it has one.

        Raises:
            UsageError: there is none, others can read it, or the passphrase is wrong.
        """
        path = self.directory / f"{self.current}.pem"
        try:
            if path.stat().st_mode & 0o077:
                raise UsageError(
                    f"{path}: can be read by others", resolution=f"make a new key, for that one is known; or chmod 600 {path}"
                )
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise UsageError(f"{self.directory}: there is no key to sign with", resolution=MAKE) from error
        passphrase = ask() if b"ENCRYPTED" in data else None
        try:
            private = serialization.load_pem_private_key(data, passphrase.encode() if passphrase else None)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{path}: cannot be read: the passphrase is wrong or missing") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise UsageError(f"{path}: is no ECDSA key", resolution=MAKE)
        return Signer(self.current, private)

    def _insist(self, name: str) -> None:
        if name not in self.names:
            raise UsageError(f"there is no key {name!r}", resolution=f"there are: {', '.join(self.names)}" if self.names else MAKE)


class Signer:
    """Signs with one key."""

    def __init__(self, name: str, private: ec.EllipticCurvePrivateKey) -> None:
        self.name = name
        self._private = private

    def __call__(self, data: bytes) -> bytes:
        """The signature in DER."""
        return self._private.sign(data, ec.ECDSA(hashes.SHA256()))


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A file, whole and synced or not at all."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
