"""What the engine can be told: the checked values of daemon.json and the daemon's flags, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping


@dataclass(frozen=True)
class Settings:
    """Attributes are daemon.json's option names with underscores for hyphens."""

    data_root: str = "/var/lib/skiff"
    exec_root: str = "/run/skiff"
    hosts: tuple[str, ...] = ()
    group: str = ""
    pidfile: str = ""
    debug: bool = False
    log_level: str = "info"
    labels: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    max_concurrent_downloads: int = 3
    max_concurrent_uploads: int = 5
    log_driver: str = "json-file"
    log_opts: Mapping[str, str] = field(default_factory=dict)
    storage_driver: str = "overlay2"
    exec_opts: tuple[str, ...] = ()
    live_restore: bool = True
    shutdown_timeout: int = 15
