"""`skiff version`: the client's version and the server's, in Docker's layout."""

from __future__ import annotations

import os
import sys

from skiff import VERSION
from skiff.cli import options
from skiff.client import documents, http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

API_VERSION = "1.41"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
COMMAND = options.Command(
    "version [OPTIONS]",
    "Show the versions of client and server",
    (("-f, --format", "text", "json", "print one JSON document instead of text"),),
    "skiff version\nskiff version --format json",
)


def run(host: str, values: dict[str, Any], _arguments: list[str]) -> int:
    """Print both sides; the client's also where no server answers, with status 1."""
    wants_json = json_wanted(values)
    client = client_versions()
    try:
        server = http.Client(host).call("GET", "/version")
    except http.NoDaemon as error:
        print(documents.dump({"Client": client, "Server": None}) if wants_json else _client_text(client))
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return 1
    if wants_json:
        print(documents.dump({"Client": client, "Server": server}))
    else:
        print(f"{_client_text(client)}\n\n{_server_text(server)}")
    return 0


def json_wanted(values: dict[str, Any]) -> bool:
    """Whether --format json was given; the one other format that there is refuses."""
    wanted = values.get("format")
    if wanted not in (None, "json"):
        raise options.UsageError(f'invalid argument "{wanted}" for "--format" flag: it can be json')
    return wanted == "json"


def client_versions() -> dict[str, str]:
    """The client's part."""
    machine = os.uname().machine
    return {
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "PythonVersion": sys.version.split()[0],
        "Os": "linux",
        "Arch": ARCHITECTURES.get(machine, machine),
    }


def _client_text(client: dict[str, str]) -> str:
    return "\n".join(
        [
            "Client: Skiff",
            f" Version:           {client['Version']}",
            f" API version:       {client['ApiVersion']}",
            f" Python version:    {client['PythonVersion']}",
            f" OS/Arch:           {client['Os']}/{client['Arch']}",
        ]
    )


def _server_text(server: dict[str, Any]) -> str:
    lines = [f"Server: {server['Platform']['Name']}".rstrip()]
    for component in server["Components"]:
        details = component.get("Details") or {}
        lines.append(f" {component['Name']}:")
        lines.append(f"  Version:          {component['Version']}")
        if "ApiVersion" in details:
            lines.append(f"  API version:      {details['ApiVersion']} (minimum version {details['MinAPIVersion']})")
            lines.append(f"  OS/Arch:          {details['Os']}/{details['Arch']}")
            lines.append(f"  Kernel:           {details['KernelVersion']}")
    return "\n".join(lines)
