"""The version of the runtime that is to follow: whether it may, and what to go back to, written down before it takes over."""

from fleet.agent import versions
from fleet.agent.change import Change
from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """Whether another version is here, may be followed, and is not yet written down as the one before."""
    now = versions.current(want["home"])
    if now is None or now == want["version"]:
        return None
    from fleet.agent import succession

    found = versions.describe(want["home"], host.state.home)
    refused = succession.refusal(found, want, want["back"])
    if refused is not None:
        raise AgentError(refused[0], "", refused[1])
    past = _after(found["past"], now, want["version"])
    if past == versions.written(host.state.home):
        return None
    change = Change("update", "{} follows {}".format(want["version"], now))
    change.steps = past
    return change


def apply(_want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Write it down."""
    host.state.write_json(versions.PAST, {"past": change.steps})


def foresee(_want: "Dict[str, Any]", _change: Change, _forecast: Forecast) -> None:
    """Nobody else reads it."""


def _after(past: "List[str]", now: str, then: str) -> "List[str]":
    """The versions before the next one; those that it goes back over are no more among them."""
    return past[: past.index(then)] if then in past else [one for one in past if one != now] + [now]
