"""age (https://age-encryption.org): identities and recipients, X25519 or SSH, and armoured texts. No passphrases."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, List, Sequence

import pyrage

from fleet.errors import UsageError

BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----"
END = "-----END AGE ENCRYPTED FILE-----"
VARIABLE = "SKIFF_AGE_IDENTITY"
KEYGEN = "./inv secrets.keygen makes one"


def identity_file() -> Path:
    """The file with who one is: SKIFF_AGE_IDENTITY, or ~/.config/skiff/age.txt."""
    return Path(os.environ.get(VARIABLE) or "~/.config/skiff/age.txt").expanduser()


def identities(path: Path) -> List[Any]:
    """The identities in a file of age's form (a line each), or in an SSH private key.

    Raises:
        UsageError: it cannot be read, others can read it, or it holds none.
    """
    text = private_text(path)
    try:
        if "PRIVATE KEY-----" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError as error:
        # What pyrage says may quote the line.
        cure = f"it should hold lines AGE-SECRET-KEY-1..., or an SSH key without passphrase; {KEYGEN}"
        raise UsageError(f"{path}: is no identity of age", resolution=cure) from error
    if not found:
        raise UsageError(f"{path}: holds no identity", resolution=KEYGEN)
    return found


def private_text(path: Path) -> str:
    """The text of a file that is its owner's alone.

    Raises:
        UsageError: it is not, or cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                raise UsageError(f"{path}: can be read by others (mode {mode:04o})", resolution=f"chmod 600 {path}")
            return stream.read()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "is no text"
        cure = f"{KEYGEN}; {VARIABLE} names another file"
        raise UsageError(f"the identity that decrypts secrets, {path}, cannot be read: {said}", resolution=cure) from error


def recipient(text: str) -> Any:
    """Whom to encrypt for: `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`.

    Raises:
        UsageError: it is neither.
    """
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        told = "an identity, which is to stay secret" if "SECRET" in text.upper() else repr(text)
        raise UsageError(
            f"{told} is no recipient of age", resolution="it should be age1..., ssh-ed25519 ... or ssh-rsa ..."
        ) from error


def own_recipients(path: Path) -> List[Any]:
    """Whom the identities in a file stand for.

    Raises:
        UsageError: the file holds none, or an SSH key whose public half is not beside it.
    """
    found = identities(path)
    if isinstance(found[0], pyrage.x25519.Identity):
        return [one.to_public() for one in found]
    return recipients_in(path.with_name(f"{path.name}.pub"))


def recipients_in(path: Path) -> List[Any]:
    """Whom a file names, a line each; comments begin with #.

    Raises:
        UsageError: it cannot be read, names nobody, or a line is no recipient.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'is no text'}") from error
    found = [recipient(line) for line in lines if line and not line.startswith("#")]
    if not found:
        raise UsageError(f"{path}: names no recipient", resolution="a line each: age1..., ssh-ed25519 ... or ssh-rsa ...")
    return found


def keygen(path: Path) -> str:
    """Makes an identity in a new file that is its owner's alone; its public half.

    Raises:
        UsageError: there is a file, or it cannot be written.
    """
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"# public key: {public}\n{identity}\n")
    except FileExistsError as error:
        cure = f"what was encrypted for it would be lost: --out or {VARIABLE} names another file"
        raise UsageError(f"{path}: is there already, and is not replaced", resolution=cure) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return public


def encrypt(text: str, recipients: Sequence[Any]) -> str:
    """The armoured form of a text."""
    return str(pyrage.encrypt(text.encode(), list(recipients), armored=True).decode())


def decrypt(armoured: str, known: Sequence[Any]) -> str:
    """The text in an armoured form.

    Raises:
        ValueError: none of the identities opens it, or it is damaged; told in words.
    """
    try:
        data: bytes = pyrage.decrypt(normal(armoured).encode(), list(known))
        return data.decode()
    except pyrage.DecryptError as error:
        raise ValueError(f"cannot be decrypted: {error}") from error
    except UnicodeDecodeError:
        raise ValueError("decrypts to what is no text") from None


def normal(armoured: str) -> str:
    """An armoured form without the indentation that it had in another file."""
    return re.sub(r"(?m)^[ \t]+|[ \t\r]+$", "", armoured).strip() + "\n"
