"""Programs that are run for their bytes: the bound on them holds whatever the program does about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.agent import child
from fleet.agent.errors import AgentError
from fleet.puller import captured


def test_one_that_writes_too_much_has_no_time_to_go_on(tmp_path: Path) -> None:
    """It hears no SIGTERM. Its second of the two files would be there well within the time that others have to end."""
    assert child.GRACE > 8
    script = f"trap '' TERM; touch {tmp_path}/first; head -c 2000 /dev/zero; sleep 8; touch {tmp_path}/second"
    with pytest.raises(AgentError, match="sh wrote more than 1000 bytes"):
        captured.run(["sh", "-c", script], limit=1000, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
