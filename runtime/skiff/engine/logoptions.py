"""The options of the log drivers: the same in daemon.json, in a create request, and for the shim."""

from __future__ import annotations

import re
from typing import Any, Mapping, Optional

from skiff.errors import InvalidInput

DRIVERS = ("json-file", "none")
SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kmgt]?)i?b?\Z", re.IGNORECASE)
COUNT = re.compile(r"[1-9][0-9]{0,8}\Z")
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def check_options(driver: str, options: Mapping[str, str]) -> None:
    """Refuse what the driver does not have, in dockerd's wording."""
    if driver not in DRIVERS:
        raise InvalidInput(f"logger: no log driver named '{driver}' is registered")
    for key, value in options.items():
        if driver != "json-file" or key not in ("max-size", "max-file"):
            raise InvalidInput(f"unknown log opt '{key}' for {driver} log driver")
        if key == "max-size":
            size(value)
        elif not COUNT.match(value):
            raise InvalidInput(f"max-file must be a number of at least 1, not '{value}'")
    if options.get("max-file", "1") != "1" and "max-size" not in options:
        raise InvalidInput("max-file cannot be more than 1 without max-size")


def size(text: str) -> Optional[int]:
    """Bytes of a size such as 10m or 1.5g; None for -1, which is no limit."""
    if text == "-1":
        return None
    match = SIZE.match(text)
    value = int(float(match[1]) * UNITS[match[2].lower()]) if match else 0
    if value <= 0:
        raise InvalidInput(f"invalid size: '{text}'; write a number and k, m or g, such as 10m")
    return value


def for_shim(config: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the shim is told of a container's log."""
    options = config["Config"]
    return {
        "driver": config["Type"],
        "path": path if config["Type"] == "json-file" else None,
        "max-size": size(options["max-size"]) if "max-size" in options else None,
        "max-file": int(options["max-file"]) if "max-file" in options else None,
    }
