"""How far this host's clock is from the control machine's, and how far at most the estimate may be off.

Four times, as NTP has them (RFC 5905, section 8): the hello sent here and heard there, the desired state sent there and heard here.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from fleet.agent.host import Host


def look(_given: "Dict[str, Any]", host: "Host") -> "Dict[str, Any]":
    """`skew` in seconds, positive where this clock is ahead; `error` half of the round trip."""
    heard_there, sent_there, sent_here, heard_here = host.clock
    ahead, behind = heard_here - sent_there, sent_here - heard_there
    return {"skew": round((ahead + behind) / 2, 6), "error": round((ahead - behind) / 2, 6)}
