"""Where a container's cgroup is, from what config.json asks and which driver is wanted."""

from __future__ import annotations

from skiff.errors import InvalidInput

SLICE = "/skiff.slice"
PREFIX = "skiff"


def choose(asked: str, identity: str, systemd: bool) -> str:
    """What open_manager takes: a path, below our slice unless it is absolute; or `slice:prefix:name` for systemd's driver."""
    if systemd:
        place = asked or f":{PREFIX}:{identity}"
        if place.count(":") != 2 or place.startswith("/"):
            raise InvalidInput(
                f'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got {place!r} instead: '
                "change it, or leave --systemd-cgroup out"
            )
        return place
    if ":" in asked:
        raise InvalidInput(f"linux.cgroupsPath: {asked!r} is for systemd's driver: give a path, or --systemd-cgroup")
    return asked if asked.startswith("/") else f"{SLICE}/{asked or identity}"
