"""What the secrets tasks do: values come by standard input or a prompt, never by an argument, and go to standard output alone."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, List, Sequence

from fleet.errors import UsageError
from fleet.secrets import age, documents

Report = Callable[[str], None]
RECIPIENTS = "recipients.txt"


def keygen(out: str, report: Report) -> None:
    """Makes an identity, and tells whom others encrypt for."""
    path = Path(out).expanduser() if out else age.identity_file()
    public = age.keygen(path)
    sys.stderr.write(f"{path}: keep it safe; without it nothing that is encrypted for it can be read\n")
    report(public)


def encrypt(name: str, recipients: Sequence[str], home: Path, report: Report) -> None:
    """Encrypts what standard input holds, or what is typed twice at a prompt."""
    whom = recipients_of(recipients, home)
    report(documents.form(age.encrypt(given(), whom), name).rstrip("\n"))


def decrypt(file: str, key: str) -> None:
    """Decrypts a value of a file, or the armoured text on standard input, to standard output."""
    known = age.identities(age.identity_file())
    if file:
        path = Path(file)
        block = documents.chosen(documents.blocks(text_of(path), path), key, path)
        text = opened(block.armoured, known, f"{path}: {block.key}")
    else:
        text = opened(sys.stdin.read(), known, "standard input")
    sys.stdout.write(text + ("\n" if sys.stdout.isatty() and not text.endswith("\n") else ""))
    sys.stdout.flush()


def edit(file: str, key: str, recipients: Sequence[str], home: Path, report: Report) -> None:
    """Opens one value in the editor, and encrypts what comes back."""
    path, known, whom = Path(file), age.identities(age.identity_file()), recipients_of(recipients, home)

    def change(text: str) -> str:
        block = documents.chosen(documents.blocks(text, path), key, path)
        old = opened(block.armoured, known, f"{path}: {block.key}")
        new = edited(old)
        return text if new == old else documents.replaced(text, block, age.encrypt(new, whom))

    report(f"{path}: {'encrypted anew' if documents.update(path, change) else 'unchanged'}")


def rekey(files: Sequence[str], recipients: Sequence[str], home: Path, report: Report) -> None:
    """Encrypts every value of the files for other recipients. All are opened before the first file is written."""
    paths = [Path(file) for file in files] or documents.below(home)
    known, whom = age.identities(age.identity_file()), recipients_of(recipients, home)
    texts = {path: text_of(path) for path in paths}
    found = {path: documents.blocks(text, path) for path, text in texts.items()}
    for path, held in found.items():
        for block in held:
            opened(block.armoured, known, f"{path}: {block.key}")

    def change(text: str, path: Path) -> str:
        # From the end, so that the places before stay right.
        for block in reversed(documents.blocks(text, path)):
            text = documents.replaced(text, block, age.encrypt(opened(block.armoured, known, f"{path}: {block.key}"), whom))
        return text

    for path, held in found.items():
        if held:
            documents.update(path, lambda text, path=path: change(text, path))  # type: ignore[misc] # path is bound
            report(f"{path}: {len(held)} encrypted anew for {len(whom)} recipient{'s' if len(whom) > 1 else ''}")
    if not any(found.values()):
        raise UsageError("no value encrypted with age was found", resolution="name the files: --file group_vars/all.yml")


def recipients_of(given_: Sequence[str], home: Path) -> List[Any]:
    """Whom to encrypt for: keys and files that were named; else those of the inventory's recipients.txt; else oneself."""
    if given_:
        found = [
            [age.recipient(one)] if one.startswith(("age1", "ssh-")) else age.recipients_in(Path(one).expanduser())
            for one in given_
        ]
        return [one for each in found for one in each]
    shared = home / RECIPIENTS
    return age.recipients_in(shared) if shared.exists() else age.own_recipients(age.identity_file())


def given() -> str:
    """A value from standard input, where a text of one line loses its newline; at a terminal it is asked for, unseen.

    Raises:
        UsageError: there is none, or what was typed twice differs.
    """
    if sys.stdin.isatty():
        text = getpass.getpass("value: ")
        if getpass.getpass("again: ") != text:
            raise UsageError("the two differ; nothing was encrypted")
    else:
        text = sys.stdin.read()
        text = text[:-1] if text.count("\n") == 1 and text.endswith("\n") else text
    if not text:
        raise UsageError("there is no value to encrypt", resolution="give it on standard input, or at the prompt of a terminal")
    return text


def opened(armoured: str, known: Sequence[Any], place: str) -> str:
    """An encrypted value's text.

    Raises:
        UsageError: it cannot be decrypted.
    """
    try:
        return age.decrypt(armoured, known)
    except ValueError as error:
        raise UsageError(f"{place}: {error}", resolution=f"{age.VARIABLE} names the identity that it was encrypted for") from error


def edited(text: str) -> str:
    """What an editor makes of a text. It lies in a directory of its owner's alone; in memory, where the machine has such a place.

    Raises:
        UsageError: the editor fails; nothing is changed.
    """
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    memory = next((place for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm") if place and os.access(place, os.W_OK)), None)  # noqa: S108 # the directory in it is made by mkdtemp
    with tempfile.TemporaryDirectory(prefix="skiff-", dir=memory) as directory:
        path = Path(directory) / "value"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        try:
            status = subprocess.run([*editor, str(path)], check=False).returncode
        except OSError as error:
            raise UsageError(f"{editor[0]} cannot be run: {error.strerror}", resolution="EDITOR names the editor") from error
        if status:
            raise UsageError(f"{editor[0]} ended with status {status}; nothing was changed")
        new = path.read_text(encoding="utf-8")
    # Editors end a text with a newline that the value never had.
    new = new[:-1] if new.endswith("\n") and not text.endswith("\n") else new
    if not new:
        raise UsageError("the value would be empty; nothing was changed")
    return new


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'is no text'}") from error
