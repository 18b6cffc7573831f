"""Writes a container's OCI bundle: the default spec with what the record asks for, and the three files that Docker binds in.

<exec root>/containers/<id>/bundle/config.json
"""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from skiff.engine import capabilities, confinement, create, limits
from skiff.engine import host as machine
from skiff.engine.container import Container
from skiff.spec import defaults
from skiff.spec.seccomp_profile import default_profile

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCALHOST = """\
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
"""
# As dockerd sets them in every network namespace of a container's own, where the kernel has them.
NETWORK_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
BOUND = ("resolv.conf", "hostname", "hosts")


def write(container: Container, exec_root: str) -> str:
    """Write bundle and bound files; the bundle's path."""
    bundle = os.path.join(exec_root, "containers", container.record.id, "bundle")
    shutil.rmtree(bundle, ignore_errors=True)
    os.makedirs(os.path.join(bundle, "rootfs"), mode=0o711)
    _write_bound_files(container)
    with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as file:
        json.dump(document(container), file)
    return bundle


def document(container: Container) -> dict[str, Any]:
    """The OCI runtime spec of a container."""
    record = container.record
    host = record.host_config
    spec: dict[str, Any] = dict(defaults.default_spec())
    spec["hostname"] = record.config["Hostname"]
    spec["root"] = {"path": "rootfs", "readonly": bool(host["ReadonlyRootfs"])}
    spec["process"] = {**spec["process"], **_process(container)}
    spec["mounts"] = [_sized(mount, host["ShmSize"]) for mount in spec["mounts"]] + _bind_mounts(container)
    linux = spec["linux"]
    if confinement.choose(host).filtered:
        linux["seccomp"] = default_profile(spec["process"]["capabilities"]["bounding"])
    linux["resources"] = {**linux.get("resources", {}), **limits.resources(host)}
    if host["NetworkMode"] == "host":
        linux["namespaces"] = [namespace for namespace in linux["namespaces"] if namespace["type"] != "network"]
    else:
        linux["sysctl"] = {name: value for name, value in NETWORK_SYSCTLS.items() if machine.has_sysctl(name.replace(".", "/"))}
    return spec


def _process(container: Container) -> dict[str, Any]:
    config, host = container.record.config, container.record.host_config
    chosen = capabilities.choose(host["CapAdd"], host["CapDrop"])
    return {
        "args": container.record.command,
        "env": create.environment(config, DEFAULT_PATH),
        "cwd": config["WorkingDir"] or "/",
        "user": {"username": config["User"]},
        "noNewPrivileges": confinement.choose(host).no_new_privileges,
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), chosen),
    }


def _sized(mount: dict[str, Any], shm_size: int) -> dict[str, Any]:
    if mount["destination"] != "/dev/shm":  # noqa: S108  # a path in the container
        return mount
    kept = [option for option in mount["options"] if not option.startswith("size=")]
    return {**mount, "options": [*kept, f"size={shm_size}"]}


def _bind_mounts(container: Container) -> list[dict[str, Any]]:
    return [
        {
            "destination": f"/etc/{name}",
            "type": "bind",
            "source": os.path.join(container.directory, name),
            "options": ["rbind", "rprivate"],
        }
        for name in BOUND
    ]


def _write_bound_files(container: Container) -> None:
    hostname = container.record.config["Hostname"]
    texts = {"hostname": f"{hostname}\n", "hosts": _hosts(container), "resolv.conf": _resolver(container)}
    for name, text in texts.items():
        with open(os.path.join(container.directory, name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)


def _hosts(container: Container) -> str:
    if container.record.host_config["NetworkMode"] == "host":
        return _read("/etc/hosts") or LOCALHOST
    return LOCALHOST


def _resolver(container: Container) -> str:
    """The host's resolver, for a container on its network; none for one that has no network."""
    return _read("/etc/resolv.conf") if container.record.host_config["NetworkMode"] == "host" else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
