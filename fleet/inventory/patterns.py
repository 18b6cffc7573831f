"""What `--hosts` may say: names, groups, `all`, globs, exclusions (`all:!web3`), and addresses that stand in no inventory."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Set, Tuple

from fleet.errors import UsageError
from fleet.inventory.document import Entry
from fleet.inventory.model import ALL, Host, Inventory
from fleet.inventory.settings import HOST_NAME, USER, is_address

LITERAL = re.compile(r"(?:(?P<user>[^@]*)@)?(?:\[(?P<v6>[^\]]*)\]|(?P<address>[^:\[\]]*))(?::(?P<port>[^:]*))?\Z")
LOCAL = "localhost"
EMPTY = "the inventory is empty: see inventory/hosts.yml, or boot a lab with `./inv lab.up`"


@dataclass(frozen=True)
class Literal:
    """A host given by its address."""

    address: str
    port: Optional[int]
    user: Optional[str]


def is_literal(word: str) -> bool:
    """Whether a comma-separated word is an address rather than a pattern."""
    return "@" in word or bool(re.match(r"\[[^\]]*:|[^:!*?\[]+:[0-9]+\Z", word)) or is_address(word)


def parse_literal(word: str) -> Literal:
    """`user@address:port`, `[v6]:port` and what lies between.

    Raises:
        UsageError: it is none of these.
    """
    if is_address(word):
        return Literal(word, None, None)
    match = LITERAL.match(word)
    cure = "write user@address:port, or [v6 address]:port; user and port may be left out"
    if match is None:
        raise UsageError(f"--hosts: {word!r} is no address", resolution=cure)
    user, port, address = match["user"], match["port"], match["v6"] or match["address"] or ""
    if user is not None and not USER.match(user):
        raise UsageError(f"--hosts: {word!r}: {user!r} is no user's name", resolution=cure)
    if port is not None and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise UsageError(f"--hosts: {word!r}: {port!r} is no port from 1 to 65535", resolution=cure)
    if match["v6"] is not None and not (":" in address and is_address(address)):
        raise UsageError(f"--hosts: {word!r}: {address!r} is no IPv6 address", resolution=cure)
    if (
        match["v6"] is None
        and not is_address(address)
        and not (HOST_NAME.match(address) and not address.replace(".", "").isdigit())
    ):
        raise UsageError(f"--hosts: {word!r}: {address!r} is neither an IP address nor a host's name", resolution=cure)
    return Literal(address, int(port) if port else None, user)


def split_terms(text: str) -> List[str]:
    """The terms of a pattern: separated by commas, and by colons where a colon is not part of an address."""
    terms = []
    for word in map(str.strip, text.split(",")):
        whole = is_literal(word) or is_address(word.lstrip("!"))
        parts = [word] if whole else re.split(r":(?![^\[]*\])", word)
        terms += [part.strip() for part in parts if part.strip()]
    return terms


def matching(inventory: Inventory, term: str) -> Set[str]:
    """The inventory's hosts that a term without `!` names.

    Raises:
        UsageError: none.
    """
    if term == ALL or term in inventory.groups:
        return inventory.members(term)
    found = {name for name in inventory.names if fnmatch.fnmatchcase(name, term)}
    for group in inventory.groups:
        if fnmatch.fnmatchcase(group, term):
            found |= inventory.members(group)
    if not found:
        known = inventory.explain(term) or EMPTY
        raise UsageError(
            f"--hosts: {term!r} matches no host and no group", known, "a host that stands in no inventory is written user@address"
        )
    return found


def choose(inventory: Inventory, pattern: str) -> Tuple[List[str], Dict[str, Optional[Literal]]]:
    """The inventory's hosts that a pattern names, each once, in the order of the inventory; and those that stand in none.

    Raises:
        UsageError: a term matches nothing, or nothing is left.
    """
    terms = split_terms(pattern)
    if not terms:
        raise UsageError("--hosts: is empty", resolution="name hosts or groups, or write all")
    chosen: Set[str] = set()
    literals: Dict[str, Optional[Literal]] = {}
    if all(term.startswith("!") for term in terms):
        chosen = set(inventory.names)
    for term in terms:
        if term.startswith("!"):
            continue
        # A host may have its address as its name.
        if is_literal(term) and term not in inventory.names:
            literals[term] = parse_literal(term)
        elif term == LOCAL and LOCAL not in inventory.names:
            literals[term] = None
        else:
            chosen |= matching(inventory, term)
    for term in terms:
        if term.startswith("!"):
            chosen -= matching(inventory, term[1:])
    names = [name for name in inventory.names if name in chosen]
    if not names and not literals:
        raise UsageError(f"--hosts: {pattern!r} leaves no host", resolution="" if inventory.names else EMPTY)
    return names, literals


def select(inventory: Inventory, pattern: str, extra: Mapping[str, Entry]) -> List[Host]:
    """The hosts that a pattern names, ready to be connected to; addresses after those of the inventory.

    Raises:
        UsageError: a term matches nothing, nothing is left, or a host's settings cannot be followed.
    """
    names, literals = choose(inventory, pattern)
    if "address" in extra and len(names) + len(literals) > 1:
        extra["address"].refuse("an address belongs to one host", "name that host alone by --hosts")
    hosts = [inventory.host(name, extra) for name in names]
    hosts += [outsider(inventory, name, literal, extra) for name, literal in literals.items()]
    return hosts


def outsider(inventory: Inventory, name: str, literal: Optional[Literal], extra: Mapping[str, Entry]) -> Host:
    """A host that stands in no inventory: an address, or this machine, which takes no connection."""
    if literal is None:
        local = Entry("local", None, 0, "localhost.connection")
        return inventory.literal(name, LOCAL, None, None, {"connection": local, **extra})
    return inventory.literal(name, literal.address, literal.port, literal.user, extra)
