"""Ansible's variables that say how a host is reached, as Skiff's settings; and a word about those that Skiff does not follow."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from fleet.inventory.ansible import arguments
from fleet.inventory.document import Entry, kind
from fleet.inventory.references import reference

# Of two names for one thing the later wins, as in Ansible.
FOLLOWED = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_private_key_file": "identity_file",
    "ansible_ssh_private_key_file": "identity_file",
    "ansible_become": "become",
    "ansible_connection": "connection",
    "ansible_password": "ssh_password",
    "ansible_ssh_pass": "ssh_password",
    "ansible_ssh_password": "ssh_password",
    "ansible_private_key_passphrase": "key_passphrase",
    "ansible_ssh_private_key_passphrase": "key_passphrase",
    "ansible_become_pass": "become_password",
    "ansible_become_password": "become_password",
}
# Followed if they hold a secret in Skiff's form; in clear or in a vault they are passed over with a word.
PASSWORDS = {"ssh_password", "key_passphrase", "become_password"}
CONNECTIONS = {"ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "local": "local"}
YES, NO = ("yes", "true", "on", "y", "t", "1"), ("no", "false", "off", "n", "f", "0")
BECOMING = {"ansible_become_user": "root", "ansible_become_method": "sudo"}
PIPELINING = ("ansible_pipelining", "ansible_ssh_pipelining")  # of no use where all is one exec


def connection(settings: Mapping[str, Entry]) -> Dict[str, Entry]:
    """Skiff's connection settings out of merged Ansible variables.

    Raises:
        UsageError: one is of a form that Skiff cannot follow.
    """
    found = {}
    for name, ours in FOLLOWED.items():
        if name in settings and is_followed(name, settings[name]):
            settings[name].refuse_unreadable()
            found[ours] = replace(settings[name], value=translated(ours, settings[name]))
    return found


def is_followed(name: str, entry: Entry) -> bool:
    """Whether a variable is one that Skiff takes up."""
    if name not in FOLLOWED or not entry.foreign or entry.value is None:
        return False
    return FOLLOWED[name] not in PASSWORDS or reference(entry) is not None


def translated(name: str, entry: Entry) -> Any:
    """A value as Skiff's setting has it; of the wrong form, it is left for the setting's own check."""
    value = entry.value
    if name == "port" and isinstance(value, str) and value.isdecimal():
        return int(value)
    if name == "user" and isinstance(value, int):
        return str(value)
    if name == "become" and str(value).lower() in (*YES, *NO):
        return str(value).lower() in YES
    if name == "connection":
        word = str(value).rpartition("ansible.builtin.")[2]
        if word not in CONNECTIONS:
            entry.refuse(f"Skiff has no connection of the kind {str(value)!r}", "it has ssh and local: leave the host out (!host)")
        return CONNECTIONS[word]
    return value


def refuse_other_user(settings: Mapping[str, Entry]) -> None:
    """Refuses to become anybody but root, or by anything but sudo: a run as another than was meant would be worse than none.

    Raises:
        UsageError: a host's variables say so.
    """
    for name, ours in BECOMING.items():
        entry = settings.get(name)
        if entry is None or not entry.foreign or entry.value is None:
            continue
        entry.refuse_unreadable()
        if str(entry.value).rpartition("ansible.builtin.")[2] != ours:
            entry.refuse(
                f"is {str(entry.value)!r}, and Skiff becomes root by sudo", f"make it {ours}, or leave the host out (!host)"
            )


def warnings(entries: Iterable[Tuple[str, Entry]]) -> List[str]:
    """A sentence for each of Ansible's own variables that Skiff does not follow, and for what of ssh's arguments it does not."""
    found: Dict[Tuple[str, str], List[Entry]] = {}
    for name, entry in entries:
        if not entry.foreign or not name.startswith("ansible_") or entry.value is None:
            continue
        if name in arguments.NAMES:
            words = arguments.passed_over(entry)
            if words:
                told = f"{', '.join(words)} {'is' if len(words) == 1 else 'are'} not followed"
                found.setdefault((told, "host keys are checked by --host-key-policy, and other options not used"), []).append(entry)
        elif not is_followed(name, entry) and name not in (*BECOMING, *PIPELINING):
            found.setdefault(("is not followed", why(name)), []).append(entry)
    return [f"{places[0].place}: {told}{times(len(places))}; {cure}" for (told, cure), places in found.items()]


def times(count: int) -> str:
    """How often more, in words."""
    return f" (nor in {count - 1} more place{'s' if count > 2 else ''})" if count > 1 else ""


def why(name: str) -> str:
    """What Skiff does instead of following a variable."""
    if FOLLOWED.get(name) in PASSWORDS:
        return "write it {secret: ...} (docs/guides/secrets.md), or have it asked for (--ask-pass, --ask-become-pass)"
    if name == "ansible_python_interpreter":
        return "Skiff finds the host's Python itself"
    if name.startswith("ansible_become"):
        return "Skiff becomes root by sudo"
    return "Skiff has no use for it"


def priority(entry: Entry) -> int:
    """A group's ansible_group_priority.

    Raises:
        UsageError: it is no integer.
    """
    if isinstance(entry.value, bool) or not isinstance(entry.value, (int, str)) or not re.fullmatch("-?[0-9]+", str(entry.value)):
        entry.refuse(f"should be an integer, not {kind(entry.value)}")
    return int(entry.value)
