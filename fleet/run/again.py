"""`@failed`, `@changed` and `@unreachable` in --hosts: the hosts that the last run left so."""

from __future__ import annotations

import re
from typing import Callable, Collection, List, Match

from fleet import recorded
from fleet.errors import UsageError

SELECTOR = re.compile(r"(?:(?<=[,:\s])|^)(!?)@([^,:@\s]*)(?=[,:\s]|\Z)")


def expanded(pattern: str, known: Collection[str], notice: Callable[[str], None]) -> str:
    """The pattern with hosts in the place of such words; `known` are the inventory's. A notice tells whose run was asked.

    Raises:
        UsageError: there is no such word, no last run, or no host of the kind.
    """
    if not SELECTOR.search(pattern):
        return pattern
    added: List[str] = []
    asked: List[str] = []
    run = recorded.last_work()

    def put(match: Match[str]) -> str:
        excluded, word = match.groups()
        names = hosts(run, word)
        notice(f"@{word} of {run.task} {run.name} ({run.state}): {', '.join(names) or 'no host'}")
        if excluded:
            # A host given by its address is in no inventory, so nothing else in the pattern can mean it.
            added.extend(f"!{name}" for name in names if name in known)
        else:
            asked.append(f"@{word}")
            added.extend(names)
        return ""

    rest = SELECTOR.sub(put, pattern)
    terms = [*added, *(term.strip() for term in re.split("[,:]", rest) if term.strip())]
    if asked and all(term.startswith("!") for term in terms):
        # Exclusions alone would mean every other host.
        raise UsageError(f"--hosts: no host is {' or '.join(asked)} in the last run, {run.task} {run.name}")
    return ",".join([rest, *added]) if terms else "all"


def hosts(run: recorded.Run, word: str) -> List[str]:
    """The hosts of a run that a word means.

    Raises:
        UsageError: there is no such word.
    """
    states = recorded.STATES_OF.get(word)
    if states is None:
        known = ", ".join(f"@{name}" for name in recorded.STATES_OF)
        raise UsageError(f"--hosts: there is no @{word}", resolution=f"of the last run there are {known}")
    return run.hosts_in(*states)
