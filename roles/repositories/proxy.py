"""The proxy through which the package manager reaches the repositories that Skiff writes."""

from __future__ import annotations

from typing import Dict, List, Union
from urllib.parse import unquote, urlsplit

from fleet.secret import Secret
from fleet.variables import Variables

FORM = "package_proxy: should be http://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them."


def refusals(variables: Variables) -> List[str]:
    """An address that is none; its text stays unsaid, for it may hold a password."""
    given = variables.secret("package_proxy")
    if given is None:
        return []
    try:
        address = urlsplit(given.reveal())
        whole = address.scheme in ("http", "https") and address.hostname and address.port and not address.path.strip("/")
    except ValueError:
        return [FORM]
    # A line of a .repo file ends at its newline.
    return [] if whole and unquote(given.reveal()).isprintable() and " " not in given.reveal() else [FORM]


def options(variables: Variables) -> Dict[str, Union[str, Secret]]:
    """The lines of a .repo file; none without a proxy."""
    given = variables.secret("package_proxy")
    if given is None:
        return {}
    address = urlsplit(given.reveal())
    host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    found: Dict[str, Union[str, Secret]] = {"proxy": f"{address.scheme}://{host}:{address.port}"}
    if address.username:
        found.update(proxy_username=unquote(address.username), proxy_password=Secret(unquote(address.password or "")))
    return found
