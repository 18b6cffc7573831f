"""The tasks that keep an inventory's secrets."""

from __future__ import annotations

from pathlib import Path
from typing import List

from invoke.context import Context

from fleet.tasks.options import Table, skiff_task, told

HOME = Path(__file__).resolve().parents[2] / "inventory"
FOR: Table = {
    "recipient": (
        [],
        "age1..., ssh-ed25519 ..., or a file with such lines; may be repeated (default: inventory/recipients.txt, else yourself).",
    ),
}
FILE: Table = {"file": ("", "The inventory file that holds the value.")}
KEY: Table = {"key": ("", "The value's key, such as vars.registry_password, if the file holds several.")}


@skiff_task({"out": ("", "Where to (default: SKIFF_AGE_IDENTITY, else ~/.config/skiff/age.txt).")})
def secrets_keygen(_: Context, out: str) -> None:
    """Make the identity that decrypts secrets, and print the recipient that others encrypt for.

    Example: ./inv secrets.keygen
    """
    with told():
        from fleet.secrets import verbs

        verbs.keygen(out, print)


@skiff_task({"name": ("", "The variable's name, put before the value.")}, FOR)
def secrets_encrypt(_: Context, name: str, recipient: List[str]) -> None:
    """Encrypt a value from standard input, or one that is typed unseen, and print what an inventory holds of it.

    Example: ./inv secrets.encrypt --name registry_password >> inventory/group_vars/all.yml
    """
    with told():
        from fleet.secrets import verbs

        verbs.encrypt(name, recipient, HOME, print)


@skiff_task(FILE, KEY)
def secrets_decrypt(_: Context, file: str, key: str) -> None:
    """Decrypt a value of a file, or an armoured text from standard input, to standard output.

    Example: ./inv secrets.decrypt --file inventory/group_vars/all.yml --key registry_password
    """
    with told():
        from fleet.secrets import verbs

        verbs.decrypt(file, key)


@skiff_task(FILE, KEY, FOR)
def secrets_edit(_: Context, file: str, key: str, recipient: List[str]) -> None:
    """Change a value in $EDITOR, and encrypt it anew where it stands.

    Example: ./inv secrets.edit --file inventory/group_vars/all.yml --key registry_password
    """
    with told():
        from fleet.errors import UsageError
        from fleet.secrets import verbs

        if not file:
            raise UsageError("--file is missing", resolution="name the inventory file that holds the value")
        verbs.edit(file, key, recipient, HOME, print)


@skiff_task({"file": ([], "A file; may be repeated (default: all below inventory/).")}, FOR)
def secrets_rekey(_: Context, file: List[str], recipient: List[str]) -> None:
    """Encrypt every value anew, after recipients came or went.

    Example: ./inv secrets.rekey
    """
    with told():
        from fleet.secrets import verbs

        verbs.rekey(file, recipient, HOME, print)
