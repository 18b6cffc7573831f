"""The agent's own directory, which goes last, and stays as long as something is left that it tells of."""

import os

from fleet.agent import atomic
from fleet.agent.change import Change
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.host import Host


def check(_want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether it is there, and nothing is left."""
    home = host.state.home
    if not os.path.isdir(home) or any(not one["over"] for one in host.left):
        return None
    return Change("remove", "remove {}".format(home))


def apply(_want: "Dict[str, Any]", _change: Change, host: "Host") -> None:
    """Remove it: a cut never leaves half a ledger."""
    atomic.take_away(host.state.home)


def foresee(_want: "Dict[str, Any]", _change: Change, _forecast: Forecast) -> None:
    """Nothing comes after it."""
