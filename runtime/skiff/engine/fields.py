"""Every field of Docker's Config and HostConfig: its JSON type, its default, and whether Skiff can do what it asks for.

A field that asks for something Skiff does not have is refused by name; nothing is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from skiff.errors import InvalidInput, Unsupported

KINDS: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "string": (str,),
    "list": (list,),
    "object": (dict,),
    "command": (list, str),
}


MAX_INT = (1 << 63) - 1


@dataclass(frozen=True)
class Field:
    """`default` stands in inspect when nothing was asked; values in `also` ask for nothing either."""

    kind: str
    default: Any = None
    have: bool = True
    also: tuple[Any, ...] = ()

    def asks_nothing(self, value: Any) -> bool:
        """Whether the value is empty, the default, or a word for it."""
        return value is None or value in ("", 0, False, [], {}) or value == self.default or value in self.also


def _absent(kind: str, default: Any = None, *also: Any) -> Field:
    return Field(kind, default, have=False, also=also)


CONFIG: Mapping[str, Field] = {
    "Hostname": Field("string", ""),
    "Domainname": Field("string", ""),
    "User": Field("string", ""),
    "AttachStdin": Field("bool", False),
    "AttachStdout": Field("bool", False),
    "AttachStderr": Field("bool", False),
    "ExposedPorts": Field("object"),
    "Tty": _absent("bool", False),
    "OpenStdin": Field("bool", False),
    "StdinOnce": Field("bool", False),
    "Env": Field("list"),
    "Cmd": Field("command"),
    "Healthcheck": _absent("object", None, {"Test": ["NONE"]}),
    "ArgsEscaped": Field("bool", False),
    "Image": Field("string", ""),
    "Volumes": _absent("object"),
    "WorkingDir": Field("string", ""),
    "Entrypoint": Field("command"),
    "NetworkDisabled": _absent("bool", False),
    "MacAddress": _absent("string", ""),
    "OnBuild": Field("list"),
    "Labels": Field("object"),
    "StopSignal": Field("string", ""),
    "StopTimeout": Field("int"),
    "Shell": Field("list"),
}

HOST_CONFIG: Mapping[str, Field] = {
    "Binds": _absent("list"),
    "ContainerIDFile": Field("string", ""),
    "LogConfig": Field("object"),
    "NetworkMode": Field("string", ""),
    "PortBindings": _absent("object", {}),
    "RestartPolicy": _absent(
        "object", {"Name": "no", "MaximumRetryCount": 0}, {"Name": "", "MaximumRetryCount": 0}, {"Name": "no"}
    ),
    "AutoRemove": Field("bool", False),
    "VolumeDriver": _absent("string", ""),
    "VolumesFrom": _absent("list"),
    "CapAdd": Field("list"),
    "CapDrop": Field("list"),
    "CgroupnsMode": _absent("string", "private"),
    "Dns": _absent("list", []),
    "DnsOptions": _absent("list", []),
    "DnsSearch": _absent("list", []),
    "ExtraHosts": _absent("list"),
    "GroupAdd": _absent("list"),
    "IpcMode": _absent("string", "private"),
    "Cgroup": _absent("string", ""),
    "Links": _absent("list"),
    "OomScoreAdj": _absent("int", 0),
    "PidMode": _absent("string", ""),
    "Privileged": _absent("bool", False),
    "PublishAllPorts": _absent("bool", False),
    "ReadonlyRootfs": Field("bool", False),
    "SecurityOpt": Field("list"),
    "StorageOpt": _absent("object"),
    "Tmpfs": _absent("object"),
    "UTSMode": _absent("string", ""),
    "UsernsMode": _absent("string", "", "host"),
    "ShmSize": Field("int", 64 << 20),
    "Sysctls": _absent("object"),
    "Runtime": _absent("string", "skiff-oci"),
    "ConsoleSize": Field("list", [0, 0]),
    "Isolation": _absent("string", "", "default"),
    "CpuShares": Field("int", 0),
    "Memory": Field("int", 0),
    "NanoCpus": Field("int", 0),
    "CgroupParent": _absent("string", ""),
    "BlkioWeight": _absent("int", 0),
    "BlkioWeightDevice": _absent("list", []),
    "BlkioDeviceReadBps": _absent("list", []),
    "BlkioDeviceWriteBps": _absent("list", []),
    "BlkioDeviceReadIOps": _absent("list", []),
    "BlkioDeviceWriteIOps": _absent("list", []),
    "CpuPeriod": Field("int", 0),
    "CpuQuota": Field("int", 0),
    "CpuRealtimePeriod": _absent("int", 0),
    "CpuRealtimeRuntime": _absent("int", 0),
    "CpusetCpus": _absent("string", ""),
    "CpusetMems": _absent("string", ""),
    "Devices": _absent("list", []),
    "DeviceCgroupRules": _absent("list"),
    "DeviceRequests": _absent("list"),
    "KernelMemory": _absent("int", 0),
    "KernelMemoryTCP": _absent("int", 0),
    "MemoryReservation": _absent("int", 0),
    "MemorySwap": Field("int", 0),
    "MemorySwappiness": _absent("int", None, -1),
    "OomKillDisable": _absent("bool", False),
    "PidsLimit": Field("int"),
    "Ulimits": _absent("list", []),
    "CpuCount": _absent("int", 0),
    "CpuPercent": _absent("int", 0),
    "IOMaximumIOps": _absent("int", 0),
    "IOMaximumBandwidth": _absent("int", 0),
    "MaskedPaths": _absent("list"),
    "ReadonlyPaths": _absent("list"),
    "Init": _absent("bool"),
    "Mounts": _absent("list"),
    "Annotations": _absent("object"),
}


def read(what: str, table: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of the table, as given or by default; types are checked, and what Skiff cannot do is refused."""
    for name, value in given.items():
        field = table.get(name)
        if field is None:
            if value not in (None, "", 0, False, [], {}):
                raise InvalidInput(f"{what}.{name}: this field is not known to Skiff")
            continue
        check_kind(f"{what}.{name}", field.kind, value)
        if not field.have and not field.asks_nothing(value):
            raise Unsupported(f"{what}.{name} is not supported by this version of Skiff yet; leave it out")
    # Where a field cannot be had, a word for nothing becomes the plain default.
    return {name: _value(field, given.get(name)) for name, field in table.items()}


def _value(field: Field, value: Any) -> Any:
    if value is None or (not field.have and field.asks_nothing(value)):
        return field.default
    return value


def check_kind(what: str, kind: str, value: Any) -> None:
    """Refuse a value that is there and of another type."""
    if value is None:
        return
    if not isinstance(value, KINDS[kind]) or (kind == "int" and isinstance(value, bool)):
        raise InvalidInput(f"{what}: must be of type {kind}, not {type(value).__name__}")
    if isinstance(value, int) and not -MAX_INT <= value <= MAX_INT:
        raise InvalidInput(f"{what}: does not fit 64 bits")


def strings(what: str, value: Any) -> list[str]:
    """A list of strings, or nothing."""
    check_kind(what, "list", value)
    if not all(isinstance(item, str) for item in value or ()):
        raise InvalidInput(f"{what}: must be a list of strings")
    return list(value or ())


def string_map(what: str, value: Any) -> dict[str, str]:
    """An object whose values are strings, or nothing."""
    check_kind(what, "object", value)
    if not all(isinstance(item, str) for item in (value or {}).values()):
        raise InvalidInput(f"{what}: must be an object of strings")
    return dict(value or {})
