"""`skiff logs`: what a container has written, as it was or as it comes."""

from __future__ import annotations

import time

from skiff.cli import options
from skiff.client import frames, http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "logs [OPTIONS] CONTAINER",
    "Fetch the logs of a container",
    (
        ("-f, --follow", "flag", "", "go on as output comes, until the container ends"),
        ("-n, --tail", "text", "N|all", "only the last lines"),
        ("--since", "text", "TIME", "only since a time (2026-01-31T12:00:00Z, seconds) or for a while (10m)"),
        ("--until", "text", "TIME", "only until a time"),
        ("-t, --timestamps", "flag", "", "the time before each line"),
    ),
    "skiff logs web\nskiff logs -f --tail 20 --since 10m web",
    least=1,
    most=1,
)
UNITS = {"s": 1, "m": 60, "h": 3600}


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """Print until there is no more."""
    query = http.query(
        stdout=True,
        stderr=True,
        follow=values.get("follow"),
        timestamps=values.get("timestamps"),
        tail=_tail(values.get("tail", "all")),
        since=_moment(values.get("since")),
        until=_moment(values.get("until")),
    )
    answer = http.Client(host).open("GET", f"/containers/{http.quote(arguments[0])}/logs{query}")
    frames.copy(answer.parts())
    return 0


def _tail(text: str) -> str:
    if text != "all" and not text.isdigit():
        raise options.UsageError(f'invalid argument "{text}" for "--tail" flag: write a number, or all')
    return text


def _moment(text: Any) -> Any:
    """A duration such as 1h30m counts back from now; a time goes to the daemon as it is."""
    if not text or text[-1] not in UNITS:
        return text
    seconds, digits = 0.0, ""
    for letter in text:
        if letter not in UNITS:
            digits += letter
            continue
        try:
            seconds += float(digits) * UNITS[letter]
        except ValueError:
            return text
        digits = ""
    return f"{time.time() - seconds:.3f}"
