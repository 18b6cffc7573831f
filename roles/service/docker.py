"""docker.service, Docker's own engine: its proxies, restarted or reloaded by what a run changed."""

from __future__ import annotations

from typing import Dict, List, Optional
from urllib.parse import urlsplit

from fleet.content import Content
from fleet.facts import Facts
from fleet.resources import Directory, File, Resource, Template, Unit
from fleet.secret import Secret
from fleet.variables import Variables
from roles.daemon_config import docker as configuration
from roles.packages import docker as packages

UNIT = "docker.service"
FOLDER = f"/etc/systemd/system/{UNIT}.d"
DROP_IN = f"{FOLDER}/skiff.conf"
# A file of root's alone: what stands in a unit, systemd tells every user of the host.
PROXIES = "/etc/docker/skiff-proxies"
PROXIED = ("http_proxy", "https_proxy")
DAEMON_JSON = f"file:{configuration.FILE}"


def refusals(variables: Variables) -> List[str]:
    """Proxies that would break the file they stand in; a text that may hold a password stays unsaid."""
    found = [
        f"{name}: should be http://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them."
        for name in PROXIED
        if not _is_address(variables.secret(name))
    ]
    return [*found, *_word_faults("no_proxy", variables, ' ,"'), *_word_faults("docker_users", variables, ' ,":')]


def _is_address(given: Optional[Secret]) -> bool:
    if given is None:
        return True
    try:
        address = urlsplit(given.reveal())
    except ValueError:
        return False
    text = given.reveal()
    return address.scheme in ("http", "https", "socks5") and bool(address.hostname) and text.isprintable() and " " not in text


def _word_faults(name: str, variables: Variables, refused: str) -> List[str]:
    words = variables.strings(name)
    return [f"{name}: {word!r} is no name." for word in words if not word or not word.isprintable() or set(word) & set(refused)]


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """The drop-in with its proxies, then the unit."""
    proxies = _proxies(variables)
    text = "".join(f'{name}="{_quoted(value)}"\n' for name, value in proxies.items())
    return [
        Directory(FOLDER),
        File(PROXIES, Content.of(Secret(text)) if text else None, mode="0600", state="present" if text else "absent", secret=True),
        Template(DROP_IN, "docker.conf.j2", {"proxies": PROXIES if text else ""}),
        Unit(
            UNIT,
            enabled=True,
            active=True,
            masked=False,
            restart_on=(packages.parts(facts, variables).id, f"file:{PROXIES}", f"file:{DROP_IN}", f"{DAEMON_JSON}#restart"),
            reload_on=(DAEMON_JSON,),
        ),
    ]


def _proxies(variables: Variables) -> Dict[str, str]:
    addresses = {name.upper(): variables.secret(name) for name in PROXIED}
    given = {name: address.reveal() for name, address in addresses.items() if address is not None}
    excepted = ",".join(variables.strings("no_proxy"))
    return {**given, "NO_PROXY": excepted} if excepted else given


def _quoted(text: str) -> str:
    """A value as systemd's EnvironmentFile= reads it between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
