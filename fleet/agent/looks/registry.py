"""Asks a registry whether it is one: GET /v2/ (https://distribution.github.io/distribution/spec/api/#api-version-check), once.

Nothing is followed and nothing is logged in to: 200 says that it serves, 401 that it would serve who logs in.
"""

import http.client
import ipaddress
import os
import socket
import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Tuple

HEADER = "Docker-Distribution-Api-Version"
AGENT = {"User-Agent": "skiff-verify", "Connection": "close"}
PORTS = {"http": 80, "https": 443}
CERTIFICATES = "/etc/docker/certs.d"


class Fault(Exception):
    """Why a registry does not answer as one, in a few words."""


class Address:
    """scheme://host[:port], as daemon.json has it."""

    def __init__(self, text: str, scheme: str = "https") -> None:
        self.scheme, _, rest = text.rpartition("://")
        self.scheme = self.scheme or scheme
        self.user, _, place = rest.rstrip("/").rpartition("@")
        bracketed, _, after = place.partition("]")
        name, _, port = (bracketed[1:], "", after[1:]) if place.startswith("[") else place.partition(":")
        self.host = name
        self.port = int(port) if port.isdigit() else PORTS.get(self.scheme, 443)
        self.place = "{}:{}".format("[{}]".format(name) if ":" in name else name, self.port)


def ask(mirror: str, proxies: "Dict[str, str]", insecure: bool, timeout: float) -> str:
    """What it said, in a few words.

    Raises:
        Fault: it does not answer as a registry.
    """
    target = Address(mirror)
    proxy = proxy_of(target, proxies)
    if proxy is not None and proxy.scheme != "http":
        return "not asked: its proxy speaks {}".format(proxy.scheme)
    try:
        status, header, kind = _get(target, proxy, insecure, timeout)
    except socket.gaierror as error:
        raise Fault("DNS: {} is not found: {}".format((proxy or target).host, error.strerror)) from error
    except ssl.SSLError as error:
        raise Fault("TLS: {}".format(getattr(error, "verify_message", "") or error.reason or error)) from error
    except ssl.CertificateError as error:  # Python 3.6: no SSLError yet
        raise Fault("TLS: {}".format(error)) from error
    except socket.timeout as error:
        raise Fault("timeout: no answer within {:g} s from {}".format(timeout, (proxy or target).place)) from error
    except (OSError, http.client.HTTPException) as error:
        raise Fault("{}: {}".format((proxy or target).place, getattr(error, "strerror", None) or error)) from error
    return judged(status, header, kind)


def judged(status: int, header: str, kind: str) -> str:
    """Whether an answer is a registry's. OCI's specification asks for no header, and a portal's page is no JSON.

    Raises:
        Fault: it is not.
    """
    named = header.startswith("registry/2")
    if status == 200 and (named or kind.startswith("application/json")):
        return "200"
    if status == 401 and named:
        return "401, asks for a login"
    if status in (200, 401):
        raise Fault("{} without the header {}: something else answers there".format(status, HEADER))
    raise Fault("HTTP {}".format(status))


def proxy_of(target: Address, proxies: "Dict[str, str]") -> "Optional[Address]":
    """The proxy that the engine would take for an address, if any."""
    text = proxies.get(target.scheme, "")
    return Address(text, "http") if text and not excepted(target.host, proxies.get("no", "")) else None


def excepted(host: str, listed: str) -> bool:
    """Whether NO_PROXY names a host, as Go reads it: names with what is below them, addresses, networks, or all."""
    for word in (part.strip().lower() for part in listed.split(",")):
        name = word.partition(":")[0] if word.count(":") == 1 else word
        if name == "*" or (name and (host.lower() == name.lstrip(".") or host.lower().endswith("." + name.lstrip(".")))):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _get(target: Address, proxy: "Optional[Address]", insecure: bool, timeout: float) -> "Tuple[int, str, str]":
    """The status, the header, and the kind of text of the answer."""
    first = proxy or target
    through = proxy is not None and target.scheme == "https"
    if target.scheme == "https":
        connection = http.client.HTTPSConnection(first.host, first.port, timeout=timeout, context=_context(target, insecure))
    else:
        connection = http.client.HTTPConnection(first.host, first.port, timeout=timeout)  # type: ignore[assignment] # its base
    authority = _authority(proxy)
    path, headers = "/v2/", dict(AGENT)
    if through:
        connection.set_tunnel(target.host, target.port, authority)
    elif proxy is not None:
        path = "http://{}/v2/".format(target.place)
        headers.update(authority)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader(HEADER) or "", answer.getheader("Content-Type") or ""
    finally:
        connection.close()


def _authority(proxy: "Optional[Address]") -> "Dict[str, str]":
    if proxy is None or not proxy.user:
        return {}
    from base64 import b64encode
    from urllib.parse import unquote

    return {"Proxy-Authorization": "Basic " + b64encode(unquote(proxy.user).encode("utf-8")).decode("ascii")}


def _context(target: Address, insecure: bool) -> ssl.SSLContext:
    """The host's own authorities, and those that the engine is given for this registry."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for name in (target.host, "{}:{}".format(target.host, target.port)):
        folder = os.path.join(CERTIFICATES, name)
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if file.endswith(".crt"):
                context.load_verify_locations(os.path.join(folder, file))
    return context
