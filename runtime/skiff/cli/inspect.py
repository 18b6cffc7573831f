"""`skiff inspect`: all that the daemon knows of containers or images, as JSON."""

from __future__ import annotations

import json
import sys

from skiff.cli import options
from skiff.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "inspect [OPTIONS] NAME|ID [NAME|ID...]",
    "Show all that is known of containers or images, as JSON",
    (("--type", "text", "container|image", "look among these only"),),
    "skiff inspect web\nskiff inspect --type image busybox",
    least=1,
    most=None,
)
KINDS = ("container", "image")


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Print a list of what was found; 1 if something was not."""
    kind = values.get("type")
    if kind not in (None, *KINDS):
        raise options.UsageError(f'"{kind}" is not a valid value for --type: it can be container or image')
    client, found, status = http.Client(host), [], 0
    for name in arguments:
        document = _find(client, name, KINDS if kind is None else (kind,))
        if document is None:
            print(f"Error: No such {kind or 'object'}: {name}", file=sys.stderr)
            status = 1
        else:
            found.append(document)
    print(json.dumps(found, indent=4, ensure_ascii=False))
    return status


def _find(client: http.Client, name: str, kinds: tuple[str, ...]) -> Any:
    documents = (_look(client, name, kind) for kind in kinds)
    return next((document for document in documents if document is not None), None)


def _look(client: http.Client, name: str, kind: str) -> Any:
    try:
        return client.call("GET", f"/{kind}s/{http.quote(name)}/json")
    except http.DaemonError as error:
        if error.status != 404:
            raise
        return None
