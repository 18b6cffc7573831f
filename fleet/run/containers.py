"""The containers of every host's engine, Skiff's or Docker's, in one form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

from fleet.agent.probes import LONGEST
from fleet.checks import Probe
from fleet.events import FAILED, Fault, HostOutcome
from fleet.progress.harmless import on_one_line
from fleet.progress.output import write_line
from fleet.run.answers import CLIENT, print_json, question, show_failures

NAME = "ps"
LIST = CLIENT + 'exec "$client" "$@" --no-trunc --format "$json"'
HEADINGS = ("HOST", "CONTAINER ID", "IMAGE", "COMMAND", "STATUS", "PORTS", "NAMES")
SHORT_ID, SHORT_COMMAND = 12, 20  # characters, as Docker's own table has them


@dataclass(frozen=True)
class Container:
    """A container as either client tells it. `command` is without Docker's quotes."""

    id: str
    image: str
    command: str
    status: str
    ports: str
    names: Tuple[str, ...]


def asked(every: bool) -> Probe:
    """The question for the containers that run, or for all."""
    return question(NAME, *(["--all"] if every else []), script=LIST)


def show(outcomes: Sequence[HostOutcome], as_json: bool) -> bool:
    """Prints every host's containers; whether all hosts told them."""
    found = {outcome.host: told(outcome) for outcome in outcomes}
    if as_json:
        lists = {host: None if each is None else [asdict(one) for one in each] for host, each in found.items()}
        print_json(
            {one.host: {"state": one.state, "containers": lists[one.host], "faults": one.as_json()["faults"]} for one in outcomes}
        )
    elif any(each is not None for each in found.values()):
        for line in table([(host, one) for host, each in found.items() for one in each or ()]):
            write_line(line)
    show_failures(outcomes, NAME)
    return not any(each is None or outcome.faults for each, outcome in zip(found.values(), outcomes))


def told(outcome: HostOutcome) -> Optional[List[Container]]:
    """A host's containers, None if it told none; what cannot be read becomes a fault of the host's."""
    answer = outcome.answers.get(NAME)
    if answer is None or answer.status:
        return None
    whole, _, rest = answer.stdout.rpartition("\n")
    if rest or len(answer.stdout) >= LONGEST:
        fail(outcome, Fault(f"the list is longer than {LONGEST >> 10} KiB: only its beginning is shown"))
    try:
        return [container(json.loads(line)) for line in whole.split("\n") if line.strip()]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        fail(outcome, Fault("the client's list is not understood", f"{type(error).__name__}: {error}"))
        return None


def fail(outcome: HostOutcome, fault: Fault) -> None:
    """A host that told its containers badly has failed."""
    outcome.faults.append(fault)
    outcome.state = FAILED


def container(entry: Mapping[str, Any]) -> Container:
    """A container of a line of the client's: Docker's has texts, Skiff's is as the API gives it.

    Raises:
        KeyError, TypeError, AttributeError: it has another form.
    """
    if "ID" in entry:
        names = str(entry["Names"]).split(",")
        return Container(
            str(entry["ID"]),
            str(entry["Image"]),
            unquoted(str(entry["Command"])),
            str(entry["Status"]),
            str(entry.get("Ports", "")),
            tuple(names),
        )
    return Container(
        str(entry["Id"]),
        str(entry["Image"]),
        str(entry["Command"]),
        str(entry["Status"]),
        ", ".join(port(one) for one in entry.get("Ports") or ()),
        tuple(str(name).lstrip("/") for name in entry["Names"]),
    )


def unquoted(command: str) -> str:
    """A command of which Docker's client made a literal of Go's, which is nearly one of JSON's."""
    try:
        return str(json.loads(command))
    except ValueError:
        return command[1:-1]


def port(one: Mapping[str, Any]) -> str:
    """A port as Docker's client writes it."""
    inside = f"{one['PrivatePort']}/{one['Type']}"
    return f"{one.get('IP', '')}:{one['PublicPort']}->{inside}" if one.get("PublicPort") else inside


def table(rows: Sequence[Tuple[str, Container]]) -> Iterator[str]:
    """A line for each container, in columns."""
    lines: List[Sequence[str]] = [HEADINGS, *([on_one_line(cell) for cell in cells(host, one)] for host, one in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()


def cells(host: str, one: Container) -> Sequence[str]:
    """A container's columns."""
    command = one.command if len(one.command) <= SHORT_COMMAND else one.command[: SHORT_COMMAND - 1] + "…"
    return (host, one.id[:SHORT_ID], one.image, f'"{command}"', one.status, one.ports, ",".join(one.names))
