"""Ansible's variables that say how a host is reached, as Skiff's settings; and a word about those that Skiff does not follow."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Mapping, Tuple

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
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
REDIRECTING = re.compile(
    r"(?:-o)?\s*(?P<name>(?i:proxyjump|proxycommand|hostname|port|user|bindaddress|bindinterface)\b|(?<!-o)-[JWlpbB])"
)
CONFIG = "write it into ~/.ssh/config, which Skiff reads"
AGREEING = {
    "ansible_become_method": "sudo",
    "ansible_become_user": "root",
    "ansible_ssh_pipelining": None,
    "ansible_pipelining": None,
}


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


def refuse_redirection(settings: Mapping[str, Entry]) -> None:
    """Refuses SSH arguments that lead elsewhere than the address says: without them, another machine might be reached.

    Raises:
        UsageError: there are some. Their values are not told, for they may hold a password.
    """
    for name in ARGUMENTS:
        entry = settings.get(name)
        word = redirection(entry) if entry is not None and entry.foreign else ""
        if entry is not None and word:
            entry.refuse(f"{word} is not followed by Skiff, and without it another machine might be reached", CONFIG)


def redirection(entry: Entry) -> str:
    """The first of SSH's arguments that leads elsewhere, without its value; empty if there is none."""
    try:
        words = shlex.split(str(entry.value))
    except ValueError:
        return "what cannot be split into words"
    matches = [REDIRECTING.match(word) for word in words]
    return next((match["name"] for match in matches if match), "")


def warnings(entries: Iterable[Tuple[str, Entry]]) -> List[str]:
    """A sentence for each of Ansible's own variables that Skiff does not follow."""
    found: Dict[str, List[Entry]] = {}
    for name, entry in entries:
        if entry.foreign and name.startswith("ansible_") and not is_followed(name, entry) and entry.value is not None:
            if name in AGREEING and AGREEING[name] in (None, entry.value):
                continue
            found.setdefault(name, []).append(entry)
    return [f"{places[0].place}: is not followed{times(len(places))}; {why(name)}" for name, places in found.items()]


def times(count: int) -> str:
    """How often more, in words."""
    return f" (nor in {count - 1} more place{'s' if count > 2 else ''})" if count > 1 else ""


def why(name: str) -> str:
    """What Skiff does instead of following a variable."""
    if FOLLOWED.get(name) in PASSWORDS:
        return "write it {secret: ...} (docs/guides/secrets.md), or have it asked for (--ask-pass, --ask-become-pass)"
    if name in ARGUMENTS:
        return CONFIG
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
