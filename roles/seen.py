"""What a look of the agent's answered: plain data, or why there is none."""

from __future__ import annotations

import json
from typing import Any, Tuple

from fleet.checks import Outcome


def seen(outcome: Outcome) -> Tuple[Any, str]:
    """The answer and an empty text; None and what went wrong where the look came to no end."""
    if outcome.status != 0:
        return None, outcome.stderr.strip() or f"status {outcome.status}"
    return json.loads(outcome.stdout), ""
