"""The arguments that Ansible gives to ssh, as lines of OpenSSH's configuration that come before those of ~/.ssh/config.

Their order is that of Ansible's command line, where ssh takes the first of each: ssh_args, ssh_common_args, ssh_extra_args.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Dict, Iterator, List, Mapping, Tuple

from fleet.inventory.document import Entry

NAMES = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
# By OpenSSH's name in lower case: what a line says (fleet/transport/route), what leads elsewhere, what makes no difference here.
FOLLOWED = {
    *("proxyjump", "proxycommand", "stricthostkeychecking", "userknownhostsfile", "globalknownhostsfile", "hostkeyalias"),
    *("identityfile", "identitiesonly", "connecttimeout"),
}
ELSEWHERE = {"hostname", "port", "user", "bindaddress", "bindinterface", "-W", "-p", "-l", "-b", "-B", "-F"}
NO_MATTER = {
    *("controlmaster", "controlpath", "controlpersist", "compression", "serveraliveinterval", "serveralivecountmax", "batchmode"),
    *("preferredauthentications", "kbdinteractiveauthentication", "passwordauthentication", "gssapiauthentication"),
    *("tcpkeepalive", "loglevel", "requesttty", "connectionattempts", "-C", "-q", "-v", "-T", "-n", "-x", "-a"),
}
LETTERS = {"-J": "proxyjump", "-i": "identityfile"}
WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")
OFF = ("no", "off", "ask")
NOWHERE = (os.devnull, "none")
OPTION = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*\S)\s*", re.DOTALL)
CONFIG = "write what it says into ~/.ssh/config, which Skiff reads"


def lines(settings: Mapping[str, Entry]) -> Tuple[str, ...]:
    """A host's lines of configuration.

    Raises:
        UsageError: an argument leads elsewhere in a way that Skiff does not go; its value is not told, for it may hold a password.
    """
    found: Dict[str, List[str]] = {}
    for entry in given(settings):
        for name, value in options(entry):
            if name in ELSEWHERE or name == "":
                what = f"{name} is" if name else "an argument that cannot be read is"
                cure = "use ansible_host, ansible_port, ansible_user; or " if name else ""
                entry.refuse(f"{what} not followed by Skiff, and without it another machine might be reached", cure + CONFIG)
            if name in FOLLOWED and not ignored(name, value):
                found.setdefault(name, []).append(value)
    # The first of them counts; keys add up.
    chosen = [(name, value) for name, values in found.items() for value in (values if name == "identityfile" else values[:1])]
    return tuple(f"{name} {value}" for name, value in one_way(chosen))


def given(settings: Mapping[str, Entry]) -> Iterator[Entry]:
    """The variables that hold arguments, in ssh's order."""
    for name in NAMES:
        entry = settings.get(name)
        if entry is not None and entry.foreign and entry.value not in (None, ""):
            entry.refuse_unreadable()
            yield entry


def options(entry: Entry) -> Iterator[Tuple[str, str]]:
    """What a text sets: OpenSSH's names in lower case, or letters, with their values; no name for what cannot be read."""
    try:
        words = shlex.split(str(entry.value))
    except ValueError:
        words = [""]
    while words:
        word = words.pop(0)
        if not re.fullmatch("-[A-Za-z0-9].*", word, re.DOTALL) or not word.isprintable():
            yield "", ""
            return
        letter, value = word[:2], word[2:]
        if letter[1] not in WITH_VALUE:
            yield letter, ""
            if value:
                words.insert(0, f"-{value}")
            continue
        value = value or (words.pop(0) if words else "")
        if letter != "-o":
            yield LETTERS.get(letter, letter), value
            continue
        match = OPTION.fullmatch(value)
        yield (match[1].lower(), match[2]) if match and value.isprintable() else ("", "")


def one_way(chosen: List[Tuple[str, str]]) -> Iterator[Tuple[str, str]]:
    """Of ProxyJump and ProxyCommand the first counts, over either in the configuration too."""
    ways = [name for name, _ in chosen if name in ("proxyjump", "proxycommand")]
    yield from ((name, value) for name, value in chosen if name not in ways[1:])
    if ways:
        yield ("proxycommand" if ways[0] == "proxyjump" else "proxyjump"), "none"


def ignored(name: str, value: str) -> bool:
    """Whether it would have host keys checked less than Skiff does by itself."""
    if name == "stricthostkeychecking":
        return value.lower() in OFF
    return name.endswith("knownhostsfile") and value.lower() in NOWHERE


def passed_over(entry: Entry) -> List[str]:
    """The options in a text of arguments that Skiff does not follow, without their values."""
    return list(
        dict.fromkeys(
            f"{name} {value}" if name in FOLLOWED else name
            for name, value in options(entry)
            if name and name not in ELSEWHERE | NO_MATTER and (name not in FOLLOWED or ignored(name, value))
        )
    )
