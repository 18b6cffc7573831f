"""A package repository: the whole of its .repo file, taken over only once its key and metadata could be had."""

import os

from fleet.agent import atomic, process, repositories, rpm
from fleet.agent.change import Change
from fleet.agent.document import Document, look
from fleet.agent.errors import from_os
from fleet.agent.forecast import ABSENT, Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs in its file."""
    path = _path(want)
    if want["state"] != "absent":
        return _document(want).compare(host)
    return Change("remove", "remove {}".format(path)) if look(path) is not None else None


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Import the key, fetch the metadata, then write the file; or remove it."""
    path = _path(want)
    if want["state"] == "absent":
        from fleet.agent import original

        change.backup = original.enter(path, host, ABSENT, True)
        try:
            os.unlink(path)
            atomic.sync_directory(repositories.FOLDER)
        except OSError as error:
            raise from_os(error, path) from error
        return
    if want["gpgcheck"]:
        for key in want["gpgkey"].split():
            _import_key(key, _proxy(want["options"]), host)
    if want["enabled"] and want["name"] not in host.reached:
        with repositories.foreseen({want["name"]: _text(want)}, host.contents.read) as options:
            from fleet.agent import dnf  # where something changes alone

            dnf.make_cache(dnf.command(host.facts), want["name"], options)
    _document(want).write(change, host)


def foresee(want: "Dict[str, Any]", _change: Change, forecast: Forecast) -> None:
    """Its packages can be had, or no longer."""
    forecast.repositories[want["name"]] = None if want["state"] == "absent" else _text(want)


def _path(want: "Dict[str, Any]") -> str:
    return os.path.join(repositories.FOLDER, want["name"] + repositories.SUFFIX)


def _document(want: "Dict[str, Any]") -> Document:
    data = _text(want).encode("utf-8", "surrogateescape")
    return Document(_path(want), data=data, mode="0600" if want["secret"] else "0644", secret=want["secret"])


def _text(want: "Dict[str, Any]") -> str:
    fields = {
        "name": want["description"] or want["name"],
        "baseurl": want["baseurl"],
        "enabled": "1" if want["enabled"] else "0",
        "gpgcheck": "1" if want["gpgcheck"] else "0",
        "gpgkey": want["gpgkey"],
    }
    fields.update(want["options"])
    lines = ["{}={}".format(key, value) for key, value in fields.items() if value]
    return "[{}]\n{}\n".format(want["name"], "\n".join(lines))


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """Forget the signing keys that came with it; its file is put back as a file."""
    there = rpm.keys(host.looking)
    going = sorted(_brought(place, there).intersection(there))
    if not going:
        return None
    change = Change("remove", "forget the signing key {}".format(", ".join(going)))
    change.act = lambda: _forget(going)
    return change


def _brought(place: "Place", there: "List[str]") -> "Set[str]":
    """The keys that came with its imports; of one that was cut, what was there at the next, or now."""
    found = {key for one in place.entries for key in one.get("ours") or ()}
    after = [one["before"] for one in place.entries[1:]] + [there]
    for one, then in zip(place.entries, after):
        if "ours" not in one:
            found.update(set(then).difference(one["before"]))
    return found


def _forget(keys: "List[str]") -> None:
    done = process.run(["rpm", "-e", *keys])
    if done.status != 0:
        raise done.failure("the signing key {} cannot be forgotten".format(", ".join(keys)))


def _proxy(options: "Dict[str, str]") -> "Dict[str, str]":
    """The environment that leads rpm's own transfers through the repository's proxy; a password stays off the command line."""
    address = options.get("proxy", "")
    if not address:
        return {}
    if "proxy_username" in options:
        from urllib.parse import quote  # not in a run without changes

        scheme, _, rest = address.partition("://")
        user, password = (quote(options.get(name, ""), safe="") for name in ("proxy_username", "proxy_password"))
        address = "{}://{}:{}@{}".format(scheme, user, password, rest)
    return {"http_proxy": address, "https_proxy": address}


def _import_key(address: str, environment: "Dict[str, str]", host: "Host") -> None:
    before = rpm.keys(False)
    host.ledger.enter("repository", address, before)
    done = process.run(["rpm", "--import", address], timeout=120, environment=environment)
    if done.status != 0:
        raise done.failure("the signing key {} cannot be imported".format(address), "check its address and the network")
    host.ledger.enter("repository", address, before, ours=[key for key in rpm.keys(False) if key not in before])
