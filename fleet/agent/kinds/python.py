"""The Python that the bootstrap installed on a host without one, so that the agent could run. No resource declares it."""

from fleet.agent.errors import Left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from fleet.agent.change import Change
    from fleet.agent.host import Host
    from fleet.agent.ledger import Place


def undo(_place: "Place", _host: "Host") -> "Optional[Change]":
    """Nothing: what undoes all the rest runs on it."""
    raise Left("it was installed so that Skiff could work here, and is what this very run stands on", over=True)
