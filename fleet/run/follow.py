"""`./inv logs --follow`: what a container writes, round after round until Ctrl-C, every line once.

Each round is a run of its own, as those of `verify --watch`, and only the first leaves a record. It asks for what was written since
a little before the last one began; lines that were shown are known again by their time.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from typing import Callable, Dict, Iterator, List, Tuple

from fleet.agent.probes import LONGEST
from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.progress.harmless import harmless
from fleet.progress.output import write_error, write_line
from fleet.progress.quantity import quantity
from fleet.run import logs
from fleet.run.job import VERIFY
from fleet.run.task import Options, provision

PAUSE = 2.0  # seconds between rounds
EARLIER = 5  # seconds that are asked for once more, since no round takes its exact time
INTERRUPTED = 130

Put = Callable[[str], None]


def follow(
    options: Options, container: str, tail: str, since: str, timestamps: bool, sleep: Callable[[float], None] = time.sleep
) -> int:
    """The exit status of the last round that came to its end.

    Raises:
        UsageError: an option, the inventory or a role is faulty; nothing was connected to.
    """
    if options.ask_pass or options.ask_key_passphrase or options.ask_become_pass:
        raise UsageError(
            "--follow would ask for a password in every round", resolution="set it in the environment, as --help tells"
        )
    begun = time.monotonic()
    lines = Lines(timestamps, options.json)
    outcomes, status = provision(logs.NAME, VERIFY, options, (logs.asked(container, tail, since, True),))
    if status == INTERRUPTED:
        return status
    lines.end(outcomes, False)
    ended = status
    write_error(f"following {container} on {quantity(len(outcomes), 'host')}; Ctrl-C ends it")
    # Within a round Ctrl-C lets each host finish; before and after one it is an exception.
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            sleep(PAUSE)
            now = time.monotonic()
            asked = logs.asked(container, logs.ALL, f"{math.ceil(now - begun) + EARLIER}s", True)
            begun = now
            status = provision(logs.NAME, VERIFY, options, (asked,), instead=[lines])[1]
            if status == INTERRUPTED:
                break
            ended = status
    return ended


class Lines:
    """A listener of round after round, which prints what is new; in JSON an object on a line for each."""

    def __init__(self, timestamps: bool, as_json: bool, put: Put = write_line, warn: Put = write_error) -> None:
        self._timestamps = timestamps
        self._json = as_json
        self._put = put
        self._warn = warn
        # The time of the last line of each host, and how many lines of this time were shown.
        self._last: Dict[str, Tuple[logs.Moment, int]] = {}
        self._trouble: Dict[str, str] = {}

    def begin(self, run: str, hosts: List[str]) -> None:
        """Says nothing."""

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:
        """Prints the new lines of all hosts in the order of time, and which hosts ceased or began to answer."""
        found: List[Tuple[logs.Moment, str, str]] = []
        for outcome in outcomes:
            if interrupted and logs.NAME not in outcome.answers:
                continue
            self._tell(outcome.host, trouble(outcome))
            found += [(moment, outcome.host, line) for moment, line in self._new(outcome)]
        width = max((len(outcome.host) for outcome in outcomes), default=0)
        for _, host, line in sorted(found, key=lambda each: each[0]):
            stamp = logs.STAMP.match(line)
            text = line[stamp.end() :] if stamp else line
            if self._json:
                when = stamp[0].strip() if stamp else None
                self._put(json.dumps({"host": host, "time": when, "line": text}, ensure_ascii=False))
            else:
                self._put(f"{host.ljust(width)} | {line if self._timestamps else text}")

    def _new(self, outcome: HostOutcome) -> Iterator[Tuple[logs.Moment, str]]:
        last, shown = self._last.get(outcome.host, (("", ""), 0))
        now, of_now = last, 0
        for moment, line in logs.dated(logs.told(outcome.answers.get(logs.NAME)) or ()):
            if moment < last:
                continue
            of_now = of_now + 1 if moment == now else 1
            now = moment
            if moment > last or of_now > shown:
                self._last[outcome.host] = (moment, of_now)
                yield moment, line

    def _tell(self, host: str, now: str) -> None:
        before = self._trouble.get(host, "")
        self._trouble[host] = now
        if now != before:
            self._warn(f"{host}: {now or 'answers again; what it wrote meanwhile is not shown'}")


def trouble(outcome: HostOutcome) -> str:
    """Why not all lines of a host are shown; empty if they are."""
    answer = outcome.answers.get(logs.NAME)
    if answer is None:
        return "; ".join([outcome.state, *(fault.brief for fault in outcome.faults)])
    if answer.status:
        return harmless((answer.stderr or answer.stdout).strip()).replace("\n", "; ") or f"exit status {answer.status}"
    if len(answer.stdout) >= LONGEST:
        return f"writes more than {LONGEST >> 10} KiB in a round: only the first of it is shown"
    return "has no such container" if answer.stderr else ""
