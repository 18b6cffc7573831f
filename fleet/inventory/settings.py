"""The settings that a host, a group or all hosts may have: how to connect, checked here; role variables, left to their roles."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Dict, Mapping, Tuple

from fleet.inventory.ansible import variables
from fleet.inventory.document import Entry, kind
from fleet.inventory.references import FORMS, reference

SECRET_KEYS = ("ssh_password", "key_passphrase", "become_password")
CONNECTION_KEYS = ("address", "port", "user", "identity_file", "known_hosts", "become", "connection", *SECRET_KEYS)
CONNECTIONS = ("ssh", "local")
NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?\Z")
USER = re.compile(r"[^\s:@/\x00-\x1f\x7f-][^\s:@/\x00-\x1f\x7f]*\Z")

Settings = Mapping[str, Entry]


def check_name(name: str, entry: Entry, what: str) -> None:
    """Refuses a host's or group's name that a pattern could not name."""
    if not NAME.match(name) and not (what == "host" and is_address(name)):
        entry.refuse(f"{name!r} is no name for a {what}", "use letters, digits, dots, dashes and underscores")


def is_address(text: str) -> bool:
    """Whether it is an IP address, with a scope or without."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_address(entry: Entry) -> None:
    """Refuses what is neither an IP address nor a host's name."""
    if not isinstance(entry.value, str):
        entry.refuse(f"should be an IP address or a host's name, not {kind(entry.value)}", "put an IPv6 address in quotes")
    text = entry.value
    # All digits and dots reads as an IPv4 address with a slip in it, although the name service's grammar allows it.
    if not is_address(text) and (re.fullmatch(r"[0-9.]+", text) or not HOST_NAME.match(text)):
        entry.refuse(f"{text!r} is neither an IP address nor a host's name", "the port has a key of its own: port")


def check_port(entry: Entry) -> None:
    """Refuses what is no TCP port."""
    if isinstance(entry.value, bool) or not isinstance(entry.value, int) or not 1 <= entry.value <= 65535:
        entry.refuse(f"should be a port from 1 to 65535, not {kind(entry.value)}")


def check_connection(name: str, entry: Entry) -> None:
    """Refuses a connection setting of the wrong form."""
    if name == "address":
        check_address(entry)
    elif name == "port":
        check_port(entry)
    elif name == "user":
        if not USER.match(entry.string()):
            entry.refuse(f"{entry.value!r} is no user's name")
    elif name in ("identity_file", "known_hosts"):
        if not entry.string() or CONTROL.search(entry.value):
            entry.refuse(f"{entry.value!r} is no file's name")
        path_of(entry)
    elif name == "become":
        if not isinstance(entry.value, bool):
            entry.refuse(f"should be true or false, not {kind(entry.value)}")
    elif name in SECRET_KEYS:
        # Its value is not told: it may be the password.
        if reference(entry) is None:
            entry.refuse("should be a secret, and never stand in a file or an argument in clear", FORMS)
    elif entry.value not in CONNECTIONS:
        entry.refuse(f"should be one of {', '.join(CONNECTIONS)}, not {kind(entry.value)}")


def split(settings: Settings) -> Tuple[Dict[str, Entry], Dict[str, Entry]]:
    """Checked connection settings, and the rest: role variables.

    Raises:
        UsageError: a connection setting is of the wrong form.
    """
    connection = {name: entry for name, entry in settings.items() if name in CONNECTION_KEYS and not entry.foreign}
    connection.update(variables.connection(settings))
    for name, entry in connection.items():
        check_connection(name, entry)
    return connection, {name: entry for name, entry in settings.items() if name not in CONNECTION_KEYS or entry.foreign}


def path_of(entry: Entry) -> Path:
    """The file that a setting names: relative to the file that holds the setting, or, as in Ansible, to the working directory."""
    try:
        path = Path(str(entry.value)).expanduser()
    except RuntimeError:
        entry.refuse(f"{entry.value!r}: there is no such user")
    return path if path.is_absolute() or entry.file is None or entry.foreign else entry.file.parent / path
