"""The gates between batches that need no host: a command of the user's on this machine, and a person's word.

`verify` is the third, and asks the hosts (`fleet.rollout.crew`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import List, Mapping, Optional, Sequence

from fleet.errors import UsageError
from fleet.rollout.position import counted

VERIFY, PAUSE, NONE = "verify", "pause", "none"
WORDS = (VERIFY, PAUSE, NONE)
QUESTION = "Go on? y: yes; n: stop here, --resume goes on later; b: put this batch back [y/n/b] "


class Stopped(Exception):
    """Somebody wants the rollout to stop where it is; it can be resumed."""


def gates(given: Sequence[str]) -> List[str]:
    """The gates that --gate names, in order.

    Raises:
        UsageError: one cannot be asked.
    """
    found = [word.strip() for word in given] or [VERIFY]
    if NONE in found and len(found) > 1:
        raise UsageError("--gate none: stands alone", resolution="leave it out, or the others")
    for word in found:
        if word == PAUSE and not sys.stdin.isatty():
            raise UsageError("--gate pause: there is no terminal to ask on", resolution="use another gate: verify, or a command")
        if word not in WORDS and not (word and (len(word.split()) > 1 or shutil.which(word))):
            raise UsageError(f"--gate {word!r}: is none of {', '.join(WORDS)}, and no program of this machine")
    return [word for word in found if word != NONE]


def command(text: str, hosts: Sequence[str], environment: Mapping[str, str], directory: str) -> Optional[str]:
    """Runs a command with the batch's hosts in SKIFF_HOSTS; why it is not content, or None. What it prints goes to stderr.

    Raises:
        KeyboardInterrupt: Ctrl-C reached it and us.
    """
    known = {**os.environ, **environment, "SKIFF_HOSTS": " ".join(hosts)}
    argv, nothing, ours = ["/bin/sh", "-c", text], subprocess.DEVNULL, sys.stderr.fileno()
    try:
        done = subprocess.run(argv, env=known, cwd=directory, stdin=nothing, stdout=ours, check=False)
    except OSError as error:
        return f"the gate {text!r} cannot be run in {directory}: {error.strerror}"
    if done.returncode == 0:
        return None
    how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}"
    return f"the gate {text!r} {how}"


def pause(hosts: Sequence[str]) -> Optional[str]:
    """Asks a person on the terminal; why the batch is to be put back, or None.

    Raises:
        Stopped: the person wants to stop here.
    """
    while True:
        sys.stderr.write(f"{counted(list(hosts))}: {QUESTION}")
        sys.stderr.flush()
        word = sys.stdin.readline()
        if not word or word.strip().lower() in ("n", "no"):
            raise Stopped("as it was asked to")
        if word.strip().lower() in ("y", "yes"):
            return None
        if word.strip().lower() in ("b", "back"):
            return "it was asked to be put back"
