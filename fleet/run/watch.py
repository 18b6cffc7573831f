"""`./inv verify --watch`: the same verification round after round until Ctrl-C; after the first, only what changed is told.

Each round is a run of its own, by no more connections at a time than any run, and ends them all; only the first leaves a record.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import Callable

from fleet.errors import UsageError
from fleet.number import whole
from fleet.progress.changes import Changes
from fleet.progress.output import write_error, write_line
from fleet.progress.quantity import quantity
from fleet.run.fanout import exit_status
from fleet.run.job import VERIFY
from fleet.run.task import Options, provision

SECONDS = 60
# Watchers that were started together do not come together for long.
JITTER = 0.1
INTERRUPTED = 130


def watch(options: Options, seconds: str, sleep: Callable[[float], None] = time.sleep) -> int:
    """The exit status of the last round that came to its end; `seconds` lie between two, or a minute.

    Raises:
        UsageError: an option, the inventory or a role is faulty; nothing was connected to.
    """
    pause = whole("--watch", seconds, 1) if seconds else SECONDS
    if options.junit or options.html or options.tap:
        raise UsageError("--watch goes on, and --junit, --html and --tap tell of one verification", resolution="leave one out")
    if options.ask_pass or options.ask_key_passphrase or options.ask_become_pass:
        raise UsageError("--watch would ask for a password in every round", resolution="set it in the environment, as --help tells")
    changes = Changes(write_line, options.json)
    outcomes, status = provision("verify", VERIFY, options, instead=[changes] if options.json else ())
    if status == INTERRUPTED:
        return status
    if not options.json:
        changes.end(outcomes, False)
    write_error(f"watching {quantity(len(outcomes), 'host')}, every {pause} s; Ctrl-C ends it")
    # Within a round Ctrl-C lets each host finish; before and after one it is an exception.
    with contextlib.suppress(KeyboardInterrupt):
        while status != INTERRUPTED:
            sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 # no secret hangs on it
            status = provision("verify", VERIFY, options, instead=[changes])[1]
    return exit_status(changes.outcomes, False, warned=True)
