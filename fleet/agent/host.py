"""The host as the checks of one run see it: what was asked once for all resources, and what earlier changes will bring."""

from fleet.agent.accounts import Accounts
from fleet.agent.backup import Backups
from fleet.agent.contents import Contents
from fleet.agent.errors import Left
from fleet.agent.forecast import Forecast
from fleet.agent.journal import Journal
from fleet.agent.memory import Memory
from fleet.agent.rpm import Installed
from fleet.agent.state import State
from fleet.agent.systemd import Units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set, Tuple

    from fleet.agent.ledger import Ledger
    from fleet.agent.question import Question


class Host:
    """One run's view. `changed` are the ids planned to change so far, or, while applying, changed; `looking`: nothing will be."""

    def __init__(
        self,
        state: State,
        contents: Contents,
        journal: Journal,
        run: str,
        resources: "List[Dict[str, Any]]",
        facts: "Dict[str, Any]",
        looking: bool,
        undo: "Dict[str, Any]",
    ) -> None:
        self.state = state
        self.contents = contents
        self.journal = journal
        self.facts = facts
        self.backups = Backups(state, run)
        self._keeping = state, run, resources
        self._ledger: "Optional[Ledger]" = None
        self.force = bool(undo.get("force"))
        self.purge = bool(undo.get("purge"))
        self.clock: "List[float]" = []  # hello heard and desired state sent, there; hello sent and desired state heard, here
        self.left: "List[Dict[str, Any]]" = []
        self.reboot: "List[str]" = []
        self.changed: "Set[str]" = set()
        self.looking = looking
        self.reached: "Set[str]" = set()  # repositories to come whose metadata the plan's dry run has fetched into the host's cache
        self.asked: "Dict[str, Tuple[List[str], Question]]" = {}  # transactions that wait: resource, what it was to take
        self.planning = True
        self.forecast = Forecast()
        self.accounts = Accounts()
        self.memory = Memory(state)
        names = [name for one in resources if one["kind"] == "package" for name in one["names"]]
        self.installed = Installed(names, looking, self.memory)
        left = [name for one in resources if one["kind"] == "departure" for name in one["units"] + one["companions"]]
        self.units = Units([one["name"] for one in resources if "unit" in (one["kind"], one.get("place"))] + left)

    def refresh(self, kind: str) -> None:
        """Forget what a change of this kind of resource may have made untrue."""
        if kind in ("package", "command"):
            self.installed = Installed(self.installed.names, self.looking, self.memory)
        if kind in ("package", "command", "user", "group"):
            self.accounts = Accounts()
        if kind not in ("user", "group", "directory", "json", "sysctl", "module"):
            self.units = Units(self.units.names)

    def begin_applying(self) -> None:
        """From here on the host itself is asked, nothing foreseen."""
        self.planning = False
        self.forecast = Forecast()
        self.changed = set()
        self.reboot = []
        self.left = []
        self.refresh("command")

    def drop_questions(self) -> None:
        """No transaction is to follow any more."""
        while self.asked:
            self.asked.popitem()[1][1].answer(False)

    @property
    def ledger(self) -> "Ledger":
        """What was changed so far; opened only where something changes, or changed."""
        if self._ledger is None:
            from fleet.agent.ledger import Ledger

            self._ledger = Ledger(*self._keeping)
        return self._ledger

    def leaves(self, name: str, left: Left) -> None:
        """Note what is not put back, and why."""
        told = {"id": name, "why": left.brief, "over": left.over}
        if told not in self.left:
            self.left.append(told)

    def needs_reboot(self, reason: str) -> None:
        """Note, once, why the host has to be started anew."""
        if reason not in self.reboot:
            self.reboot.append(reason)

    def triggered(self, listener: str, triggers: "List[str]") -> "List[str]":
        """Which of `triggers` changed in this run, or in a broken one that still owes `listener` its answer."""
        owed = self.journal.owed(listener)
        return sorted(owed | {name for name in triggers if name in self.changed})

    def because(self, listener: str, triggers: "List[str]") -> str:
        """The same for a person: ", since file:/x changed", or nothing."""
        names = dict.fromkeys(name.partition("#")[0] for name in self.triggered(listener, triggers))
        return ", since {} changed".format(", ".join(names)) if names else ""
