"""Checks of single option values, in dockerd's wording where its users know it; no file, no key: the caller names those."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

from skiff.engine import logoptions as logs
from skiff.errors import ConfigError, InvalidInput

HOST_AND_PORT = re.compile(r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?\Z")


def absolute_path(value: str) -> str:
    """A path that does not depend on where the daemon was started."""
    if not value.startswith("/"):
        raise ConfigError(f'must be an absolute path, not "{value}"')
    return value


def exec_root(value: str) -> str:
    """The shims' sockets lie below, named by identity, and the kernel takes 107 bytes for a socket's path."""
    longest = 107 - len("/shims/.sock") - 64
    if len(os.fsencode(absolute_path(value))) > longest:
        raise ConfigError(f'"{value}" is too long: at most {longest} bytes, for the paths of sockets below it are limited')
    return value


def one_of(*choices: str) -> Callable[[str], str]:
    """A check that the value is one of the choices."""

    def check(value: str) -> str:
        if value not in choices:
            raise ConfigError(f'"{value}" is not supported; it can be {" or ".join(choices)}')
        return value

    return check


log_level = one_of("debug", "info", "warn", "error", "fatal")


def at_least_one(value: int) -> int:
    """A number of things to do at once."""
    if value < 1:
        raise ConfigError(f"must be at least 1, not {value}")
    return value


def hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Only unix sockets so far: tcp without TLS would hand out root."""
    for value in values:
        scheme, separator, path = value.partition("://")
        if separator and scheme != "unix":
            raise ConfigError(f'"{value}": {scheme} sockets are not supported yet, for they need TLS; use unix:///path')
        if not separator or not path.startswith("/"):
            raise ConfigError(f'"{value}" is not an address; use unix:///path')
    return values


def labels(values: tuple[str, ...]) -> tuple[str, ...]:
    """key=value each, no key with two values."""
    seen: dict[str, str] = {}
    for value in values:
        key, separator, text = value.partition("=")
        if not separator or not key:
            raise ConfigError(f"bad attribute format: {value}")
        if seen.setdefault(key, text) != text:
            raise ConfigError(f"conflict labels for {key}={seen[key]} and {key}={text}")
    return values


def mirrors(values: tuple[str, ...]) -> tuple[str, ...]:
    """As dockerd: http or https, nothing after the host, one trailing slash."""
    return tuple(dict.fromkeys(_mirror(value) for value in values))


def _mirror(value: str) -> str:
    try:
        uri = urlsplit(value)
        _ = uri.port
    except ValueError:
        raise ConfigError(f'invalid mirror: "{value}" is not a valid URI') from None
    if uri.scheme not in ("http", "https"):
        raise ConfigError(f'invalid mirror: unsupported scheme "{uri.scheme}" in "{value}"; write https://HOST')
    if uri.path not in ("", "/") or uri.query or uri.fragment or value.rstrip("/").endswith(("?", "#")):
        raise ConfigError(f'invalid mirror: path, query, or fragment at end of the URI "{_without_password(uri)}"')
    if uri.username is not None or uri.password is not None:
        raise ConfigError(f'invalid mirror: username/password not allowed in URI "{_without_password(uri)}"')
    if not uri.hostname:
        raise ConfigError(f'invalid mirror: "{value}" is not a valid URI')
    return value.rstrip("/") + "/"


def _without_password(uri: SplitResult) -> str:
    if uri.username is None:
        return uri.geturl()
    host = uri.netloc.rpartition("@")[2]
    return uri._replace(netloc=f"{uri.username}:xxxxx@{host}").geturl()


def insecure_registries(values: tuple[str, ...]) -> tuple[str, ...]:
    """A host, a host and port, or a network in CIDR notation."""
    for value in values:
        if "://" in value:
            raise ConfigError(f'"{value}": insecure registry should not contain a scheme; write HOST[:PORT] or a network')
        if not _is_network(value) and not HOST_AND_PORT.match(value):
            raise ConfigError(f'insecure registry "{value}" is not valid: write HOST[:PORT] or a network such as 10.0.0.0/8')
    return values


def _is_network(value: str) -> bool:
    if "/" not in value:
        return False
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def exec_options(values: tuple[str, ...]) -> tuple[str, ...]:
    """The one option so far, and the one driver."""
    for value in values:
        key, _, text = value.partition("=")
        if key != "native.cgroupdriver":
            raise ConfigError(f'"{key}" is not an option that Skiff has; it can be native.cgroupdriver')
        if text != "cgroupfs":
            raise ConfigError(f'cgroup driver "{text}" is not supported yet; use native.cgroupdriver=cgroupfs')
    return values


def log_options(values: Mapping[str, str]) -> Mapping[str, str]:
    """The json-file driver's options."""
    try:
        logs.check_options("json-file", values)
    except InvalidInput as error:
        raise ConfigError(str(error)) from None
    return dict(values)
