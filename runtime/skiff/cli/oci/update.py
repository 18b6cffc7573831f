"""skiff-oci update: other limits for a container that lives; what is not given stays as it is."""

from __future__ import annotations

import sys

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.cli.sizes import size
from skiff.errors import InvalidInput
from skiff.oci import status
from skiff.spec import jsontext
from skiff.spec.fields import Checker
from skiff.spec.resources import check_resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store

# The flag, where its value goes, and what it is written as.
ROWS = (
    ("blkio-weight", "blockIO", "weight", "number"),
    ("cpu-period", "cpu", "period", "number"),
    ("cpu-quota", "cpu", "quota", "number"),
    ("cpu-burst", "cpu", "burst", "number"),
    ("cpu-share", "cpu", "shares", "number"),
    ("cpu-rt-period", "cpu", "realtimePeriod", "number"),
    ("cpu-rt-runtime", "cpu", "realtimeRuntime", "number"),
    ("cpu-idle", "cpu", "idle", "number"),
    ("cpuset-cpus", "cpu", "cpus", "text"),
    ("cpuset-mems", "cpu", "mems", "text"),
    ("kernel-memory", "memory", "kernel", "size"),
    ("kernel-memory-tcp", "memory", "kernelTCP", "size"),
    ("memory", "memory", "limit", "size"),
    ("memory-reservation", "memory", "reservation", "size"),
    ("memory-swap", "memory", "swap", "size"),
    ("pids-limit", "pids", "limit", "number"),
)
FLAGS = {
    "resources": options.VALUE, "r": "=resources",
    "l3-cache-schema": options.REFUSED, "mem-bw-schema": options.REFUSED,
    **{name: options.VALUE for name, *_ in ROWS},
}  # fmt: skip
MAX_SIZE = 1 << 20


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest)
    given = wanted(flags)
    with containers.lock(identity):
        state = containers.load(identity)
        status.require("update", identity, state["status"])
        open_manager(state["cgroup"]).update(given)
    return 0


def wanted(flags: dict[str, str]) -> Any:
    """The flags or the file as linux.resources, checked."""
    if "resources" not in flags:
        document, name = from_flags(flags), "update"
    elif len(flags) > 1:
        raise InvalidInput("--resources stands alone: write the other limits into its document")
    else:
        name = flags["resources"]
        document = load(name)
    check = Checker(name)
    check_resources(check, "", check.table("", document))
    return document


def from_flags(flags: dict[str, str]) -> dict[str, dict[str, Any]]:
    """A section for each that has a flag."""
    made: dict[str, dict[str, Any]] = {}
    for flag, section, key, kind in ROWS:
        if flag in flags:
            made.setdefault(section, {})[key] = value(flag, kind, flags[flag])
    return made


def value(flag: str, kind: str, text: str) -> int | str:
    """A flag's value."""
    if kind == "text":
        return text
    if kind == "size":
        return size(text, f"--{flag}")
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"--{flag} {text}: a number is wanted") from None


def load(name: str) -> Any:
    """The JSON document of a file, or of standard input for `-`."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_SIZE + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise InvalidInput(f"{name}: larger than 1 MiB")
        return jsontext.loads(data)
    except OSError as error:
        raise InvalidInput(f"--resources {name}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name}: not valid JSON: {error}") from None
