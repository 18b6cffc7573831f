"""What every run changed on this host and what was there before: /var/lib/skiff-agent/ledger.jsonl, appended to before each change.

A line is an entry, or says that a place is as it was before Skiff first touched it. Half a last line, of a killed run or a full
disk, counts for nothing: its change was not made.
"""

import json
import os
import time

from fleet.agent import atomic, checksum
from fleet.agent.errors import from_os
from fleet.agent.journal import listeners
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Entry = Dict[str, Any]

FILE = "ledger.jsonl"
KEY = "ledger.key"
ABSENT = "absent"
CARRIED = "data", "reloadable", "validate"  # what an undo has to know of the resource


class Place:
    """One thing on the host that Skiff touched: its entries, the oldest first. `name` is a path, a unit, a module ..."""

    def __init__(self, kind: str, name: str, number: int) -> None:
        self.kind = kind
        self.name = name
        self.number = number
        self.entries: "List[Entry]" = []

    @property
    def original(self) -> "Any":
        """What was there before Skiff first touched it."""
        return self.entries[0]["before"]

    @property
    def last(self) -> "Entry":
        """The last change."""
        return self.entries[-1]


class Ledger:
    """Reads when first asked, appends when told. A run without changes does neither."""

    def __init__(self, state: State, run: str, resources: "List[Dict[str, Any]]") -> None:
        self._state = state
        self._run = run
        self._resources = resources
        self._key: "Optional[bytes]" = None
        self._places: "Optional[Dict[Tuple[str, str], Place]]" = None
        self.in_hand: "Dict[str, Any]" = {}

    def enter(self, kind: str, name: str, before: "Any", ours: "Any" = None) -> None:
        """A place is about to change: what is there now, and the mark of what will be.

        Raises:
            AgentError: it cannot be written; nothing may be changed then.
        """
        entry = {"at": round(time.time(), 3), "run": self._run, "kind": kind, "name": name, "before": before}
        entry.update({field: self.in_hand.get(field, "") for field in ("id", "role")})
        if ours is not None:
            entry["ours"] = ours
        entry.update({field: self.in_hand[field] for field in CARRIED if self.in_hand.get(field)})
        if self.in_hand.get("secret") or self.in_hand.get("secrets"):
            entry["secret"] = True
        units = [one for one in listeners(self._resources, entry["id"]) if one["kind"] == "unit"]
        if units:
            entry["units"] = {one["name"]: {field: one[field] for field in ("restart_on", "reload_on")} for one in units}
        self._append(entry)

    def settle(self, place: Place) -> None:
        """A place is as it was before Skiff first touched it."""
        self._append({"undone": [place.kind, place.name]})

    def places(self) -> "List[Place]":
        """All that is not undone, in the order in which Skiff first touched it."""
        return sorted(self._all().values(), key=lambda place: place.number)

    def place(self, kind: str, name: str) -> "Optional[Place]":
        """One of them, if Skiff ever touched it."""
        return self._all().get((kind, name))

    def mark(self, digest: str) -> str:
        """What tells a content again without telling what it is: a short secret would soon be found by its digest."""
        if self._key is None:
            self._key = self._read_key()
        return checksum.of(self._key + digest.encode("ascii"))[:32]

    def lines(self) -> "List[Entry]":
        """Every whole line."""
        try:
            with open(self._state.path(FILE), "rb") as stream:
                rows = stream.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_os(error, self._state.path(FILE)) from error
        return [line for line in map(_parsed, rows) if line is not None]

    def rewrite(self, lines: "List[Entry]") -> None:
        """Put these lines in the place of all, in one step."""
        self._places = None
        self._state.write(FILE, b"".join(map(_encoded, lines)))

    def _all(self) -> "Dict[Tuple[str, str], Place]":
        if self._places is None:
            self._places = {}
            for number, line in enumerate(self.lines()):
                if "undone" in line:
                    self._places.pop((line["undone"][0], line["undone"][1]), None)
                else:
                    key = (line["kind"], line["name"])
                    self._places.setdefault(key, Place(key[0], key[1], number)).entries.append(line)
        return self._places

    def _append(self, line: "Entry") -> None:
        path = os.path.join(self._state.prepare(), FILE)
        self._places = None
        try:
            fresh = not os.path.exists(path)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                end = _whole(descriptor)
                data = _encoded(line)
                if os.pwrite(descriptor, data, end) != len(data):
                    os.pwrite(descriptor, data, end)  # says why: the disk is full
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if fresh:
                atomic.sync_directory(self._state.home)
        except OSError as error:
            raise from_os(error, path) from error

    def _read_key(self) -> bytes:
        try:
            with open(self._state.path(KEY), "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            key = os.urandom(32)
            self._state.write(KEY, key)
            return key


def _whole(descriptor: int) -> int:
    """Where the last whole line ends; what is behind it is cut off."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    step, end = 1 << 16, size
    while end > 0:
        begin = max(0, end - step)
        at = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if at >= 0:
            end = begin + at + 1
            break
        end = begin
    if end != size:
        os.ftruncate(descriptor, end)
    return end


def _encoded(line: "Entry") -> bytes:
    return json.dumps(line, sort_keys=True).encode("ascii") + b"\n"


def _parsed(row: bytes) -> "Optional[Entry]":
    try:
        line = json.loads(row.decode("ascii"))
    except ValueError:
        return None
    return line if isinstance(line, dict) and ("undone" in line or "before" in line) else None
