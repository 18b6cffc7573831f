"""The lines of known_hosts files: plain, hashed and wildcard names, @revoked and @cert-authority.

Keys are decoded when a host asks for them: a fleet's file has thousands, and a run wants a few.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fnmatch
import hashlib
import hmac
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

import paramiko

from fleet.errors import UnreachableError

HASHED = "|1|"  # by SHA-1: OpenSSH has no other
REVOKED, AUTHORITY = "@revoked", "@cert-authority"


class Entry(NamedTuple):
    """A key as it is written, and where."""

    kind: str
    text: str
    place: str


class Entries:
    """Keys by the names of hosts."""

    def __init__(self) -> None:
        self._plain: Dict[str, List[Entry]] = {}
        self._hashed: List[Tuple[bytes, bytes, Entry]] = []
        self._wild: List[Tuple[List[str], Entry]] = []
        self._authorities: List[Tuple[List[str], Entry]] = []
        self._revoked: Set[str] = set()

    def read(self, file: Path) -> None:
        """Adds a file's lines.

        Raises:
            UnreachableError: it cannot be read, or a key in it is broken.
        """
        try:
            lines = file.read_text("utf-8").splitlines()
        except OSError as error:
            raise UnreachableError(f"known hosts cannot be read from {error.filename}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UnreachableError(
                "known hosts are no text", f"{file}: {error}", "see the file that known_hosts names, or ~/.ssh/known_hosts"
            ) from error
        for number, line in enumerate(lines, 1):
            self.add(line, f"{file}:{number}")

    def add(self, line: str, place: str) -> None:
        """Adds one line; one that is empty, a comment or too short is passed over, as by OpenSSH.

        Raises:
            UnreachableError: its key is broken.
        """
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            return
        names, entry = fields[0].split(","), Entry(fields[1], fields[2], place)
        try:
            base64.b64decode(entry.text, validate=True)
        except binascii.Error as error:
            raise UnreachableError(f"a key of the known hosts is broken: {line.strip()[:80]}", place) from error
        if marker == REVOKED:
            # Whatever names stand there: a key that has leaked is nobody's any more.
            self._revoked.add(entry.text)
        elif marker == AUTHORITY:
            self._authorities.append((names, entry))
        elif not marker:
            self._add(names, entry)

    def _add(self, names: List[str], entry: Entry) -> None:
        if any(set("*?!") & set(name) for name in names):
            self._wild.append((names, entry))
            return
        for name in names:
            if name.startswith("|"):
                # As by OpenSSH, a name that is no whole hash is nobody's.
                with contextlib.suppress(ValueError):
                    salt, digest = (base64.b64decode(part) for part in name[len(HASHED) :].split("|"))
                    self._hashed.append((salt, digest, entry))
            else:
                self._plain.setdefault(name.lower(), []).append(entry)

    def keys(self, name: str) -> List[paramiko.PKey]:
        """The keys of a host; of each type the first, which is the one that counts."""
        found = list(self._plain.get(name.lower(), ()))
        found += [
            entry
            for salt, digest, entry in self._hashed
            if hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)  # known_hosts' own hash
        ]
        found += [entry for patterns, entry in self._wild if matches(name, patterns)]
        keys: Dict[str, paramiko.PKey] = {}
        for entry in found:
            key = decoded(entry)
            if key is not None:
                keys.setdefault(key.get_name(), key)
        return list(keys.values())

    def authority(self, name: str) -> str:
        """The place of the first authority that speaks for a host; empty if there is none."""
        return next((entry.place for patterns, entry in self._authorities if matches(name, patterns)), "")

    def is_revoked(self, key: paramiko.PKey) -> bool:
        """Whether a line says that this key is never to be trusted again."""
        return key.get_base64() in self._revoked


def matches(name: str, patterns: List[str]) -> bool:
    """Whether a list of names with `*` and `?` means a host; one with `!` that matches says no."""
    positive = False
    for pattern in patterns:
        text = pattern.lstrip("!").lower()
        # Square brackets stand around an address that has a port: here they are no set of characters.
        if fnmatch.fnmatchcase(name.lower(), text.replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            positive = True
    return positive


def decoded(entry: Entry) -> Optional[paramiko.PKey]:
    """The key of an entry; None of a type that is not spoken here.

    Raises:
        UnreachableError: it is no key of its type.
    """
    try:
        return paramiko.PKey.from_type_string(entry.kind, base64.b64decode(entry.text))
    except paramiko.pkey.UnknownKeyType:
        return None
    except (paramiko.SSHException, ValueError, IndexError) as error:
        raise UnreachableError(f"a key of the known hosts is broken: {entry.kind} {entry.text[:40]}", entry.place) from error
