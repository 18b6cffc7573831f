"""The host's package manager, dnf or yum: dry runs, transactions and metadata, one at a time and never cut."""

import os
import time

from fleet.agent import pattern, process
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence, Tuple

    from fleet.agent.question import Question

PATIENCE = 300.0
STEP = 2.0
LOCKED = r"already locked by|Existing lock|currently holding the \w+ lock|transaction lock|\.rpm\.lock"
APPLICATION = r"PID (\d+) is: (\S+)"
HOLDERS = {"dnf", "dnf-3", "dnf4", "dnf5", "yum", "rpm", "packagekitd", "dnf-automatic", "yum-cron"}
UNKNOWN = r"(?m)(?:No match for argument|Unable to find a match|No package) ?:? *(.+?)(?: available\.?)?$"
ROW = r"(?m)^ (\S+)\s+(?:x86_64(?:_v\d)?|aarch64|noarch|i[3-6]86)\s+(\S+)\s+\S+\s+[\d.]+ \S+\s*$"
RESOLVED = r"Operation aborted|Nothing to do|Exiting on user command|Transaction Summary"


def command(facts: "Dict[str, Any]") -> str:
    """The package manager's name.

    Raises:
        AgentError: there is none.
    """
    if not facts["package_manager"]:
        raise AgentError("this host has neither dnf nor yum", "", "only hosts of the CentOS family can be prepared")
    return str(facts["package_manager"])


def foreseen(tool: str, verb: str, names: "Sequence[str]", options: "Sequence[str]", looking: bool) -> "Dict[str, str]":
    """The packages that a transaction would touch, without doing it: each one's version, empty where none is told.

    Where nothing is to be changed (`looking`) no trace is left, and the metadata that the host has is used as it is, if it tells
    of all the packages and no other repositories are given by `options`. Else the host's cache serves: the transaction follows.

    Raises:
        AgentError: no enabled repository has a package, or the transaction cannot be resolved.
    """
    if not looking:
        return _resolved(_patiently([tool, "--assumeno", *options, verb, *names]), tool, verb, names)
    from fleet.agent import traceless  # few runs only look, and find a package missing

    if tool != "yum" and not options:
        with traceless.dry_run(tool, cached=True) as (own, environment):
            done = _patiently([tool, "--assumeno", *own, verb, *names], None, environment)
        said = done.stdout + done.stderr
        if pattern.search(RESOLVED, said) and not pattern.search(UNKNOWN, said):
            return _touched(said, names)
    with traceless.dry_run(tool, cached=False) as (own, environment):
        done = _patiently([tool, "--assumeno", *own, *options, verb, *names], None, environment)
    return _resolved(done, tool, verb, names)


def ask(
    tool: str, verb: str, names: "Sequence[str]", options: "Sequence[str]", log: str
) -> "Tuple[Dict[str, str], Optional[Question]]":
    """What `foreseen` tells of a transaction that will follow; it waits at its question, so that `transact` need not begin anew.

    Raises:
        AgentError: as `foreseen` does.
    """
    from fleet.agent import question as questions  # few runs bring a package

    try:
        question = questions.Question([tool, "--setopt=exit_on_lock=1", *options, verb, *names], log)
        if question.waits:
            return _touched(question.said(), names), question
        question.answer(False)
    except OSError:
        pass  # the other way tells what is wrong
    return foreseen(tool, verb, names, options, looking=False), None


def _resolved(done: process.Finished, tool: str, verb: str, names: "Sequence[str]") -> "Dict[str, str]":
    _refuse_unknown(done)
    said = done.stdout + done.stderr
    if done.status != 0 and not pattern.search(RESOLVED, said):
        raise done.failure("{} cannot {} {}".format(tool, verb, ", ".join(names)))
    return _touched(said, names)


def _touched(said: str, names: "Sequence[str]") -> "Dict[str, str]":
    rows: "List[Tuple[str, str]]" = pattern.findall(ROW, said)
    return dict([(name, "") for name in names] + rows)


def transact(
    tool: str, verb: str, names: "Sequence[str]", log: str, options: "Sequence[str]" = (), question: "Optional[Question]" = None
) -> "Dict[str, str]":
    """One transaction, to its end; the packages that it touched, each with its version. `question` is where it waits already.

    Raises:
        AgentError: it failed, with what the package manager said last.
    """
    done = question.answer(True) if question is not None else None
    if done is None or pattern.search(LOCKED, done.stdout):
        done = _patiently([tool, "-y", *options, verb, *names], log)
    if done.status != 0:
        _refuse_unknown(done)
        raise done.failure("{} could not {} {}".format(tool, verb, ", ".join(names)))
    return _touched(done.stdout, names)


def make_cache(tool: str, repository: str, options: "Sequence[str]" = ()) -> None:
    """Fetch one repository's metadata, and accept its key.

    Raises:
        AgentError: it cannot be had.
    """
    only = ["--disablerepo=*", "--enablerepo=" + repository, "--setopt={}.skip_if_unavailable=0".format(repository)]
    done = _patiently([tool, "-y", "-q", *options, *only, "makecache"])
    if done.status != 0:
        raise done.failure(
            "the metadata of repository {} cannot be fetched".format(repository), "check its address and the network"
        )


def tail(log: str) -> str:
    """The last lines of a transaction's log."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        return "".join(stream.readlines()[-10:])


def _refuse_unknown(done: process.Finished) -> None:
    unknown = sorted(set(" ".join(pattern.findall(UNKNOWN, done.stdout + done.stderr)).split()))
    if unknown:
        raise AgentError(
            "no enabled repository has {}".format(", ".join(unknown)),
            done.last_lines(10),
            "correct the name, or declare the repository that has it before the package",
        )


def _patiently(argv: "List[str]", log: "Optional[str]" = None, environment: "Optional[Dict[str, str]]" = None) -> process.Finished:
    """Run the package manager; while another has its lock, say so once on stderr, and try again."""
    deadline, told = time.monotonic() + PATIENCE, False
    while True:
        done = process.run([argv[0], "--setopt=exit_on_lock=1", *argv[1:]], log=log, environment=environment)
        if done.status == 0 or not pattern.search(LOCKED, done.stdout + done.stderr):
            return done
        busy = "another package manager is at work: {}".format(holding() or _named(done))
        if time.monotonic() > deadline:
            raise AgentError(busy, done.last_lines(5), "wait for it to end and run again")
        if not told:
            os.write(2, "{}; waiting for it\n".format(busy).encode("utf-8", "replace"))
            told = True
        time.sleep(STEP)


def _named(done: process.Finished) -> str:
    named = pattern.search(APPLICATION, done.stdout + done.stderr)
    return "process {} ({})".format(*named.groups()) if named else "unknown"


def holding() -> str:
    """The running package managers, named by process."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{}/cmdline".format(pid), "rb") as stream:
                words = stream.read().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if any(os.path.basename(word) in HOLDERS for word in words[:2]):
            found.append("process {} ({})".format(pid, " ".join(words[:6]).strip()))
    return ", ".join(found)
