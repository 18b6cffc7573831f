"""How to log in to the hosts of a run, and how long to wait for them, as a person asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from fleet.transport.policies import STRICT


@dataclass(frozen=True)
class Login:
    """Secrets, the host key policy, seconds.

    `connect_timeout` is one attempt's, where ~/.ssh/config gives no other; the others grow with it. `limit` is all that a host may
    take.
    """

    password: Optional[str] = field(default=None, repr=False)
    passphrase: Optional[str] = field(default=None, repr=False)
    policy: str = STRICT
    connect_timeout: int = 10
    banner_timeout: int = 20
    auth_timeout: int = 30
    limit: float = 3600.0
