"""Every option of daemon.json that Skiff has, as a table, and the names of those of dockerd that it does not have yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional

from skiff.daemon import checks
from skiff.errors import ConfigError

Check = Callable[[Any], Any]

JSON_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "list of strings": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "object of strings": lambda value: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
}


@dataclass(frozen=True)
class Option:
    """One option: its name in daemon.json, its flag (dockerd uses the singular there), its type, and what SIGHUP may change."""

    key: str
    kind: str
    flag: str
    help: str
    short: str = ""
    reloadable: bool = False
    check: Optional[Check] = None

    @property
    def attribute(self) -> str:
        """The name of the field of Settings that holds it."""
        return self.key.replace("-", "_")

    def parse(self, value: Any) -> Any:
        """The value as Settings holds it; ConfigError says what is wrong, without naming file or key."""
        if not JSON_KINDS[self.kind](value):
            raise ConfigError(f"must be {_article(self.kind)}, not {_describe(value)}")
        if self.kind == "list of strings":
            value = tuple(value)
        return self.check(value) if self.check else value


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _describe(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


OPTIONS: tuple[Option, ...] = (
    Option("data-root", "string", "data-root", "where images and containers are kept", check=checks.absolute_path),
    Option("exec-root", "string", "exec-root", "where the state of running containers is kept", check=checks.exec_root),
    Option("hosts", "list of strings", "host", "where to listen: unix:///path (repeatable)", short="H", check=checks.hosts),
    Option("group", "string", "group", "group that owns the socket (default: skiff if it exists, else root)", short="G"),
    Option("pidfile", "string", "pidfile", "file to write the process id to", short="p", check=checks.absolute_path),
    Option("debug", "boolean", "debug", "log what is done in detail", short="D", reloadable=True),
    Option("log-level", "string", "log-level", "debug, info, warn, error or fatal", short="l", check=checks.log_level),
    Option("labels", "list of strings", "label", "key=value, shown by info (repeatable)", reloadable=True, check=checks.labels),
    Option(
        "registry-mirrors",
        "list of strings",
        "registry-mirror",
        "mirror of docker.io, tried in order (repeatable)",
        reloadable=True,
        check=checks.mirrors,
    ),
    Option(
        "insecure-registries",
        "list of strings",
        "insecure-registry",
        "registry that may be spoken to without TLS (repeatable)",
        reloadable=True,
        check=checks.insecure_registries,
    ),
    Option(
        "max-concurrent-downloads",
        "integer",
        "max-concurrent-downloads",
        "layers pulled at once (3)",
        reloadable=True,
        check=checks.at_least_one,
    ),
    Option(
        "max-concurrent-uploads",
        "integer",
        "max-concurrent-uploads",
        "layers pushed at once (5)",
        reloadable=True,
        check=checks.at_least_one,
    ),
    Option("log-driver", "string", "log-driver", "json-file or none", check=checks.one_of("json-file", "none")),
    Option("log-opts", "object of strings", "log-opt", "max-size=10m, max-file=3 (repeatable)", check=checks.log_options),
    Option("storage-driver", "string", "storage-driver", "overlay2", short="s", check=checks.one_of("overlay2")),
    Option("exec-opts", "list of strings", "exec-opt", "native.cgroupdriver=cgroupfs", check=checks.exec_options),
    Option("live-restore", "boolean", "live-restore", "containers outlive the daemon (true)", reloadable=True),
    Option("shutdown-timeout", "integer", "shutdown-timeout", "seconds that containers get to stop (15)", reloadable=True),
)

BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS}

# dockerd knows these; they are refused by name rather than ignored, so that nobody trusts a setting that does nothing.
NOT_YET = frozenset(
    """
    add-runtime allow-nondistributable-artifacts api-cors-header authorization-plugins bip bridge builder cgroup-parent
    cluster-advertise cluster-store cluster-store-opts containerd containerd-namespace containerd-plugin-namespace
    cpu-rt-period cpu-rt-runtime default-address-pools default-cgroupns-mode default-gateway
    default-gateway-v6 default-ipc-mode default-runtime default-shm-size default-ulimits dns dns-opts dns-search
    experimental features fixed-cidr fixed-cidr-v6 graph host-gateway-ip icc init init-path ip
    ip-forward ip-masq iptables ip6tables ipv6 log-format max-download-attempts metrics-addr mtu network-control-plane-mtu
    no-new-privileges no-proxy http-proxy https-proxy proxies node-generic-resources oom-score-adjust raw-logs runtimes
    seccomp-profile selinux-enabled storage-opts swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify
    userland-proxy userland-proxy-path userns-remap
    """.split()  # noqa: SIM905  # a block of names reads better than a column of quotes
)
