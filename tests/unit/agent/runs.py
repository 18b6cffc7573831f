"""Runs of the agent's kinds in this process, on a scratch ledger: for what a test cannot do to the machine that it runs on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Dict

from fleet.agent.contents import Contents
from fleet.agent.host import Host
from fleet.agent.journal import Journal
from fleet.agent.kinds import undo
from fleet.agent.state import State
from tests.unit.agent.wanted import wire

FACTS = {"os": {"version_id": "9"}, "kernel": "5.14", "package_manager": "dnf"}


class Runs:
    """Each call is a run of its own on the same host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reboot = ""

    def host(self, **request: bool) -> Host:
        state = State(str(self.folder / "skiff-agent"))
        contents = Contents(state, lambda _: None, lambda: (b"", b""))
        return Host(state, contents, Journal(state, []), "run", [], FACTS, False, dict(request))

    def apply(self, *resources: Any) -> None:
        """Each of them has to change something."""
        host = self.host()
        host.begin_applying()
        for one in map(wire, resources):
            kind = importlib.import_module(f"fleet.agent.kinds.{one['kind']}")
            change = kind.check(one, host)
            assert change is not None
            kind.apply(one, change, host)
            host.refresh(one["kind"])

    def deprovision(self, planning: bool = False, **request: bool) -> Dict[str, str]:
        """What is left and why, once all is undone, the last first."""
        host = self.host(**request)
        if not planning:
            host.begin_applying()
        for place in host.ledger.places()[::-1]:
            want = {"id": f"undo:{place.kind}:{place.name}", "place": place.kind, "name": place.name}
            change = undo.check(want, host)
            if change is not None and planning:
                undo.foresee(want, change, host.forecast)
            elif change is not None:
                undo.apply(want, change, host)
        self.reboot = "".join(host.reboot)
        return {one["id"]: one["why"] for one in host.left}

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be undone."""
        return not self.host().ledger.places()
