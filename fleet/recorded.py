"""A run as its record tells it, whether it ended, goes on or was killed; half a last line counts for nothing."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from fleet import events, record_files
from fleet.errors import UsageError

DONE, INTERRUPTED, IN_PROGRESS, KILLED = "done", "interrupted", "in progress", "killed"
UNFINISHED = "unfinished"
LOOKING = ("plan", "verify")
LAST = "last"
NONE_YET = "`./inv provision --hosts all --check` makes a run that changes nothing"

# What a look at many records needs of each.
SUMMARIES = (b'"kind": "finished"', b'"kind": "end"', b'"status": "changed"')

Line = Mapping[str, Any]


@dataclass
class HostStory:
    """One host's part: its outcome's fields, and its events in order."""

    host: str
    state: str = UNFINISHED
    counts: Dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    events: List[Line] = field(default_factory=list)

    @property
    def outcome(self) -> Line:
        """What was told at the host's end, or nothing."""
        return self.events[-1] if self.events and self.events[-1]["kind"] == "finished" else {}

    def of(self, kind: str) -> List[Line]:
        """The events of a kind."""
        return [event for event in self.events if event["kind"] == kind]


@dataclass
class Run:
    """A recorded run. `repeat` is what repeats it, none of a run that cannot be; `resumes` names the run that it went on with.

    `command` is what `exec` ran.
    """

    name: str
    task: str
    who: str
    begun: float
    ended: float
    state: str
    hosts: Dict[str, HostStory]
    repeat: Line = field(default_factory=dict)
    resumes: str = ""
    command: Tuple[str, ...] = ()

    @property
    def looked(self) -> bool:
        """Whether it only said what would change."""
        return self.task in LOOKING or self.repeat.get("mode") == "check"

    @property
    def states(self) -> Dict[str, int]:
        """How many hosts are in which state, in the order of the states' telling."""
        found = [story.state for story in self.hosts.values()]
        return {state: found.count(state) for state in (*events.STATES, UNFINISHED) if state in found}

    @property
    def changed(self) -> int:
        """How many resources changed, or would change, on all hosts."""
        return sum(story.counts.get("changed", 0) for story in self.hosts.values())

    def hosts_in(self, *states: str) -> List[str]:
        """The hosts in these states."""
        return [name for name, story in self.hosts.items() if story.state in states]


def find(name: str, directory: Optional[Path] = None) -> Path:
    """The record of a run: by its name, the beginning of it that only one has, or `last`.

    Raises:
        UsageError: there is none, or there are several.
    """
    place = directory or record_files.runs_directory()
    paths = record_files.runs(place)
    if not paths:
        raise UsageError(f"there is no run yet in {place}", resolution=NONE_YET)
    if name in ("", LAST):
        return paths[0]
    found = [path for path in paths if path.stem == name] or [path for path in paths if path.stem.startswith(name)]
    if not found:
        raise UsageError(f"there is no run {name!r} in {place}", resolution="`./inv runs.list` names them")
    if len(found) > 1:
        raise UsageError(f"{len(found)} runs begin with {name!r}", ", ".join(path.stem for path in found[:5]), "write more of it")
    return found[0]


def read(path: Path, details: bool = True) -> Run:
    """The run in a record; without `details` only its first and last words are kept.

    Raises:
        UsageError: it cannot be read, or is no record.
    """
    try:
        with path.open("rb") as stream:
            alive = record_files.held(stream.fileno())
            with whole(path.stem):
                run = told(path.stem, lines(stream, details), details)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if run is None:
        raise UsageError(f"{path}: is no run record, or its run was killed before it began", resolution="remove it")
    if run.state == KILLED and alive:
        run.state = IN_PROGRESS
    return run


@contextlib.contextmanager
def whole(name: str) -> Iterator[None]:
    """What a record does not hold is told as the record's damage.

    Raises:
        UsageError: something is missing, or is of another kind.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the record of {name} is damaged: {type(error).__name__}: {error}") from error


def lines(stream: Iterator[bytes], details: bool) -> Iterator[Dict[str, Any]]:
    """The whole lines; a killed run or a full disk leaves half of one, and so may a reader meet one that is being written."""
    for number, raw in enumerate(stream):
        if number and not details and not any(word in raw for word in SUMMARIES):
            continue
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and "kind" in line:
            yield line


def told(name: str, found: Iterator[Dict[str, Any]], details: bool) -> Optional[Run]:
    """The run that lines tell, or None if they have no beginning."""
    first = next(found, None)
    if first is None or "hosts" not in first:
        return None
    hosts = {host: HostStory(host) for host in first["hosts"]}
    run = Run(
        name,
        first["task"],
        first.get("who", ""),
        first["at"],
        first["at"],
        KILLED,
        hosts,
        first.get("repeat") or {},
        first.get("resumes", ""),
        tuple(map(str, first.get("command", ()))),
    )
    for line in found:
        run.ended = max(run.ended, line["at"])
        if line["kind"] == "end" and "host" not in line:
            close(run, line)
        elif line.get("host") in hosts:
            hear(hosts[line["host"]], line, details)
    return run


def hear(story: HostStory, line: Line, details: bool) -> None:
    """One event of a host."""
    if details:
        story.events.append(line)
    if line["kind"] == "finished":
        settle(story, line)
    elif line["kind"] == "result":
        # Of a host that comes to no end nothing else tells how much was done.
        story.counts[line["status"]] = story.counts.get(line["status"], 0) + 1


def settle(story: HostStory, line: Line) -> None:
    """What is told of a host at its end."""
    story.state, story.seconds = line["state"], line["seconds"]
    story.counts = {key: line[key] for key in ("ok", "changed", "failed", "skipped")}


def close(run: Run, line: Line) -> None:
    """The last line. A host whose turn never came is told only here."""
    run.state = INTERRUPTED if line["interrupted"] else DONE
    for name, summary in line["hosts"].items():
        if name in run.hosts:
            settle(run.hosts[name], summary)


def recent(directory: Optional[Path] = None) -> Iterator[Run]:
    """The runs, the newest first, without details; what is no record is passed over."""
    for path in record_files.runs(directory):
        with contextlib.suppress(UsageError):
            yield read(path, details=False)


# Questions change nothing about what is to be done, so `facts` between two runs does not hide what the first one left.
QUESTIONS = ("facts", "version", "info", "copies", "exec", "ps", "logs", "versions", "pull.status")
STATES_OF: Dict[str, Tuple[str, ...]] = {
    # Neither a host that was interrupted nor one whose run was killed got to where it should be.
    "failed": (events.FAILED, events.INTERRUPTED, UNFINISHED),
    "changed": (events.CHANGED,),
    "unreachable": (events.UNREACHABLE,),
}


def last_work(directory: Optional[Path] = None) -> Run:
    """The last run that was about declared state and is over.

    Raises:
        UsageError: there is none.
    """
    for run in recent(directory):
        if run.task not in QUESTIONS and run.state != IN_PROGRESS:
            return run
    place = directory or record_files.runs_directory()
    raise UsageError(f"there is no last run in {place} to take hosts from", resolution="name hosts or groups; " + NONE_YET)


BROKEN = (events.FAILED, events.UNREACHABLE, events.INTERRUPTED, UNFINISHED)


def last_broken(directory: Optional[Path] = None) -> Run:
    """The last run that left hosts where they should not be, and that no later run went on with.

    Raises:
        UsageError: there is none.
    """
    resumed = set()
    for run in recent(directory):
        resumed.add(run.resumes)
        if run.state != IN_PROGRESS and run.task not in QUESTIONS and run.name not in resumed and run.hosts_in(*BROKEN):
            return run
    raise UsageError("there is nothing to resume", "every recorded run came to a good end, goes on, or was resumed")
