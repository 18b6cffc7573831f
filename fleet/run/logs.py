"""What one container of each host has written, by line with its host, in the order of time where lines have one."""

from __future__ import annotations

import re
from typing import Iterator, List, Optional, Sequence, Tuple

from fleet.agent.probes import LONGEST
from fleet.checks import Outcome, Probe
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.number import whole
from fleet.progress.harmless import harmless
from fleet.progress.output import write_error, write_line
from fleet.run.answers import CLIENT, print_json, question, show_failures

NAME = "logs"
CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")  # Docker's rule
ALL = "all"
# Both streams go as one, so that their lines keep their order; on standard error is only that there is no such container, which is
# no failure. Its wording is a part of Docker's API.
SCRIPT = (
    CLIENT + 'shift; for name; do :; done; said=$("$client" inspect --type container "$name" 2>&1 >/dev/null) || { status=$?; '
    'printf "%s\\n" "$said" >&2; case $said in *"o such container"*) exit 0;; esac; exit $status; }; exec "$client" logs "$@" 2>&1'
)
STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")

Moment = Tuple[str, str]


def asked(container: str, tail: str, since: str, timestamps: bool) -> Probe:
    """The question for a container's last lines.

    Raises:
        UsageError: the name or the number is none.
    """
    if not container:
        raise UsageError("logs: which container?", resolution="./inv logs CONTAINER --hosts HOSTS; `./inv ps` names them")
    if not CONTAINER.match(container):
        raise UsageError(f"logs: {container!r} is no container's name", resolution="./inv logs CONTAINER --hosts HOSTS")
    number = tail if tail == ALL else str(whole("--tail", tail, 0))
    words = [f"--tail={number}", *([f"--since={since}"] if since else []), *(["--timestamps"] if timestamps else [])]
    return question(NAME, *words, container, script=SCRIPT)


def show(outcomes: Sequence[HostOutcome], container: str, timestamps: bool, as_json: bool) -> bool:
    """Prints the lines; whether all hosts were asked well and one has such a container."""
    found = {outcome.host: told(outcome.answers.get(NAME)) for outcome in outcomes}
    having = {host: lines for host, lines in found.items() if lines is not None}
    if as_json:
        print_json(
            {one.host: {"state": one.state, "lines": found[one.host], "faults": one.as_json()["faults"]} for one in outcomes}
        )
    else:
        stamped = [(moment, host, line) for host, lines in having.items() for moment, line in dated(lines)]
        width = max(map(len, having), default=0)
        for _, host, line in sorted(stamped, key=lambda each: each[0]) if timestamps else stamped:
            write_line(f"{host.ljust(width)} | {line}")
    for outcome in outcomes:
        if outcome.host in having and len(outcome.answers[NAME].stdout) >= LONGEST:
            write_error(f"{outcome.host}: only the first {LONGEST >> 10} KiB are shown: ask for fewer lines with --tail")
    show_failures(outcomes, NAME)
    well = all(NAME in outcome.answers and not outcome.answers[NAME].status for outcome in outcomes)
    if well and not having:
        write_error(f"no host has a container {container}")
    return well and bool(having)


def told(answer: Optional[Outcome]) -> Optional[List[str]]:
    """The lines that a host told; None where it has no such container, or failed."""
    if answer is None or answer.status or answer.stderr:
        return None
    text = answer.stdout
    return text.replace("\r\n", "\n").split("\n")[: None if text and not text.endswith("\n") else -1]


def dated(lines: Sequence[str]) -> Iterator[Tuple[Moment, str]]:
    """Each line, fit to be shown, with its time; one without goes with the line before it."""
    last: Moment = ("", "")
    for line in lines:
        match = STAMP.match(line)
        if match:
            last = (match[1], (match[2] or "").ljust(9, "0"))
        yield last, harmless(line)
