"""Keyed digests in the place of secrets: HMAC-SHA-256 by a key that never leaves this control machine.

    <state>/skiff/seal.key    0600; 32 random bytes in hex, made when the first plan is saved

A digest without a key would give a short secret away to whoever tries all short secrets.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any, Dict, Mapping, NoReturn, Optional

from fleet import state
from fleet.errors import UsageError

FILE = "seal.key"
# What may hold a secret on the wire: a file's bytes, a JSON file's values, a repository's options, what a command reads.
FIELDS = ("content", "values", "options", "stdin")

Wire = Mapping[str, Any]


class Key:
    """This control machine's key. `name` tells it from other machines' and gives nothing away."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.name = self._digest("name", "")

    def __repr__(self) -> str:
        return f"(key {self.name[:8]})"

    def __reduce__(self) -> NoReturn:
        raise elsewhere()

    def seal(self, host: str, wire: Wire) -> str:
        """The keyed digest of a resource's secret fields; another one for each host and resource."""
        found = {field: wire[field] for field in FIELDS if field in wire}
        return self._digest(f"{host}\n{wire['id']}", json.dumps(found, sort_keys=True))

    def of_host(self, host: str) -> str:
        """What seals a host's published state: 32 bytes in hex, another one for each host, the same each time."""
        return self._digest("pull", host)

    def _digest(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{len(purpose)}:{purpose}{text}".encode(), hashlib.sha256).hexdigest()


def elsewhere() -> UsageError:
    """Why neither a key nor a saved plan goes to another process, which may be another machine's."""
    return UsageError(
        "--engine: plans are kept, and carried out, by this machine alone: their key and their file are here",
        resolution="leave --engine out",
    )


def is_secret(wire: Wire) -> bool:
    """Whether a resource on the wire is marked as holding a secret."""
    return bool(wire.get("secret"))


def without_secrets(wire: Wire) -> Dict[str, Any]:
    """A resource as a plan keeps it."""
    return {name: value for name, value in wire.items() if name not in FIELDS or not is_secret(wire)}


def own_key(make: bool, directory: Optional[Path] = None) -> Optional[Key]:
    """This control machine's key; made where there is none, if asked for, else None.

    Raises:
        UsageError: it cannot be read or made, or others can read it.
    """
    path = (directory or state.directory()) / FILE
    try:
        if make and not path.exists():
            _make(path)
        with path.open(encoding="ascii") as stream:
            if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                raise UsageError(f"{path}: can be read by others", resolution=f"remove it, and make new plans; or chmod 600 {path}")
            return Key(bytes.fromhex(stream.read().strip()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: the key that seals plans cannot be had: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no key", resolution="remove it, and make new plans") from error


def _make(path: Path) -> None:
    """Puts a key in its place, whole; another run's that came first stays."""
    state.prepare(path.parent)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        os.unlink(aside)
