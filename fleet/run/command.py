"""A command of the user's own on every host: its words, and what hosts said to it, those that said the same together."""

from __future__ import annotations

import shlex
from typing import Dict, Iterator, List, Sequence, Tuple

from fleet.agent.probes import LONGEST
from fleet.agent.process import TIMED_OUT
from fleet.checks import Outcome, Probe
from fleet.errors import UsageError
from fleet.events import HostOutcome
from fleet.number import whole
from fleet.progress.harmless import harmless
from fleet.progress.output import write_error, write_line
from fleet.run.answers import as_document, print_json, show_faults

NAME = "exec"
LIMIT = 3600  # seconds that a host may take besides the command


def command(words: Sequence[str], text: str, shell: bool, timeout: str) -> Probe:
    """The command that `-- WORD...` or `--command TEXT` names, as a question to hosts.

    Raises:
        UsageError: it is none, there are two, or its words are no text.
    """
    if bool(words) == bool(text.strip()):
        brief = "--command and words after -- do not go together" if words else "exec: which command?"
        raise UsageError(brief, resolution="./inv exec --hosts HOSTS -- COMMAND [ARGUMENT...]")
    try:
        argv = ("/bin/sh", "-c", text or " ".join(words)) if shell else tuple(words or shlex.split(text))
        "".join(argv).encode()
    except UnicodeEncodeError as error:
        raise UsageError("exec: the command is not text in UTF-8") from error
    except ValueError as error:
        raise UsageError(f"--command {text!r}: {error}", resolution="close the quotes, or give the words after --") from error
    if not argv or not argv[0]:
        raise UsageError("exec: the command's name is empty")
    return Probe(NAME, argv, timeout=whole("--timeout", timeout, 1))


def show(outcomes: Sequence[HostOutcome], as_json: bool) -> None:
    """Prints what every host said: what ended well on standard output, the rest on standard error."""
    if as_json:
        print_json(as_document(outcomes, NAME))
    elif len(outcomes) == 1 and NAME in outcomes[0].answers and not outcomes[0].answers[NAME].status:
        show_alone(outcomes[0].answers[NAME])
    else:
        for answer, hosts in grouped(outcomes):
            write = write_error if answer.status else write_line
            for line in (heading(answer, hosts), *(f"  {line}" for line in body(answer))):
                write(line)
    show_faults(outcomes)


def show_alone(answer: Outcome) -> None:
    """One host's answer as it is, for a file or a pipe."""
    for line in lines("", answer.stdout):
        write_line(line)
    for line in lines("", answer.stderr):
        write_error(line)


def grouped(outcomes: Sequence[HostOutcome]) -> List[Tuple[Outcome, List[str]]]:
    """Each different answer with the hosts that gave it, those that ended well first."""
    found: Dict[Outcome, List[str]] = {}
    for outcome in outcomes:
        if NAME in outcome.answers:
            found.setdefault(outcome.answers[NAME], []).append(outcome.host)
    return sorted(found.items(), key=lambda each: each[0].status != 0)


def heading(answer: Outcome, hosts: Sequence[str]) -> str:
    """Who gave an answer, and how the command ended if not well."""
    who = f"{len(hosts)} hosts: {', '.join(hosts)}" if len(hosts) > 1 else hosts[0]
    said = "" if answer.stdout or answer.stderr or answer.status else ": no output"
    return f"{who}{said}{ending(answer.status)}"


def ending(status: int) -> str:
    """An exit status in words; none if all went well."""
    if status < 0:
        return f": ended by signal {-status}"
    if status == TIMED_OUT:
        return f": exit status {TIMED_OUT}, as where the time of --timeout runs out"
    return f": exit status {status}" if status else ""


def body(answer: Outcome) -> Iterator[str]:
    """The lines of an answer, those of standard error marked."""
    yield from lines("", answer.stdout)
    yield from lines("stderr: ", answer.stderr)


def lines(mark: str, text: str) -> Iterator[str]:
    """The lines of a text, fit to be shown, and a word where it was cut."""
    for line in harmless(text).split("\n")[: None if text and not text.endswith("\n") else -1]:
        yield mark + line
    if len(text) >= LONGEST:
        yield f"{mark}... only the first {LONGEST >> 10} KiB are shown"
