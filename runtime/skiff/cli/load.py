"""`skiff load`: images from a tar archive, of `docker save` or in OCI layout, compressed or not."""

from __future__ import annotations

import os
import sys

from skiff.cli import options
from skiff.client import documents, http
from skiff.errors import SkiffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

COMMAND = options.Command(
    "load [OPTIONS]",
    "Load images from a tar archive",
    (
        ("-i, --input", "text", "FILE", "read from a file instead of standard input"),
        ("-q, --quiet", "flag", "", "print no progress"),
    ),
    "skiff load -i busybox.tar\nskiff load < images.tar.gz",
)
BLOCK = 1 << 18


def run(host: str, values: dict[str, Any], _arguments: list[str]) -> int:
    """Send the archive, print what the daemon says of it."""
    client = http.Client(host)
    path = values.get("input")
    if path is None and os.isatty(0):
        raise options.UsageError("requested load from stdin, but stdin is empty: name a file with -i, or redirect one", 1)
    try:
        source = 0 if path is None else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SkiffError(f"open {path}: {error.strerror}") from None
    answer = client.open("POST", f"/images/load{http.query(quiet=values.get('quiet'))}", body=_blocks(source))
    return _print_events(answer)


def _blocks(source: int) -> Iterator[bytes]:
    while block := os.read(source, BLOCK):
        yield block


def _print_events(answer: http.Answer) -> int:
    """One JSON document a line; an error comes as one of them, for the head of the answer has gone out by then."""
    rest = ""
    for part in answer.parts():
        *lines, rest = (rest + part.decode("utf-8", "replace")).split("\n")
        for line in lines:
            if not line.strip():
                continue
            event = documents.load(line)
            if "error" in event:
                print(f"skiff: {event['error']}", file=sys.stderr)
                return 1
            if "stream" in event:
                print(event["stream"], end="")
    return 0
