"""`skiff info`: what the server and its host are, in Docker's layout."""

from __future__ import annotations

import sys

from skiff import VERSION
from skiff.cli import options, table
from skiff.cli.version import json_wanted
from skiff.client import documents, http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "info [OPTIONS]",
    "Show what the server and its host are",
    (("-f, --format", "text", "json", "print one JSON document instead of text"),),
    "skiff info\nskiff info --format json",
)


def run(host: str, values: dict[str, Any], _arguments: list[str]) -> int:
    """Print both sides; the client's also where no server answers, with status 1."""
    wants_json = json_wanted(values)
    client = {"Version": VERSION, "Host": host}
    try:
        server = http.Client(host).call("GET", "/info")
    except http.NoDaemon as error:
        print(documents.dump({"ClientInfo": client, "ServerErrors": [str(error)]}) if wants_json else _client_text(client))
        sys.stdout.flush()
        if not wants_json:
            print(f"\nServer:\nERROR: {error}", file=sys.stderr)
        return 1
    if wants_json:
        print(documents.dump({**server, "ClientInfo": client}))
        return 0
    print(f"{_client_text(client)}\n\nServer:")
    print("\n".join(f" {line}" for line in _server_lines(server)))
    sys.stdout.flush()
    for warning in server["Warnings"] or ():
        print(warning, file=sys.stderr)
    return 0


def _client_text(client: dict[str, str]) -> str:
    return f"Client: Skiff\n Version:    {client['Version']}\n Host:       {client['Host']}"


def _server_lines(info: dict[str, Any]) -> list[str]:
    return [
        f"Containers: {info['Containers']}",
        f" Running: {info['ContainersRunning']}",
        f" Paused: {info['ContainersPaused']}",
        f" Stopped: {info['ContainersStopped']}",
        f"Images: {info['Images']}",
        f"Server Version: {info['ServerVersion']}",
        f"Storage Driver: {info['Driver']}",
        *(f" {name}: {value}" for name, value in info["DriverStatus"] or ()),
        f"Logging Driver: {info['LoggingDriver']}",
        f"Cgroup Driver: {info['CgroupDriver']}",
        f"Cgroup Version: {info['CgroupVersion']}",
        "Plugins:",
        *(f" {kind}: {' '.join(info['Plugins'][kind] or ())}".rstrip() for kind in ("Volume", "Network", "Log")),
        f"Runtimes: {' '.join(info['Runtimes'])}",
        f"Default Runtime: {info['DefaultRuntime']}",
        *_security(info["SecurityOptions"] or ()),
        f"Kernel Version: {info['KernelVersion']}",
        f"Operating System: {info['OperatingSystem']}",
        f"OSType: {info['OSType']}",
        f"Architecture: {info['Architecture']}",
        f"CPUs: {info['NCPU']}",
        f"Total Memory: {table.binary_size(info['MemTotal'])}",
        f"Name: {info['Name']}",
        f"ID: {info['ID']}",
        f"Data Root: {info['DockerRootDir']}",
        f"Debug Mode: {_word(info['Debug'])}",
        *_listed("Labels", info["Labels"]),
        *_listed("Insecure Registries", _insecure(info["RegistryConfig"])),
        *_listed("Registry Mirrors", info["RegistryConfig"]["Mirrors"]),
        f"Live Restore Enabled: {_word(info['LiveRestoreEnabled'])}",
    ]


def _word(value: bool) -> str:
    return "true" if value else "false"


def _listed(head: str, values: Any) -> list[str]:
    return [f"{head}:", *(f" {value}" for value in values)] if values else []


def _security(values: Any) -> list[str]:
    return ["Security Options:", *(f" {value.partition('name=')[2] or value}" for value in values)] if values else []


def _insecure(registries: dict[str, Any]) -> list[str]:
    names = [name for name, index in registries["IndexConfigs"].items() if not index["Secure"]]
    return [*names, *registries["InsecureRegistryCIDRs"]]
