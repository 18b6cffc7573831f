"""What a rollout and the question for versions answer, as JSON."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Dict


def ended(done: subprocess.CompletedProcess[str], status: int = 0) -> Dict[str, Any]:
    """The document of a task that ended with this exit status."""
    assert done.returncode == status, done.stdout + done.stderr
    document: Dict[str, Any] = json.loads(done.stdout)
    return document


def becomes(document: Dict[str, Any]) -> Dict[str, str]:
    """What became of each host in a rollout."""
    return {name: host["rollout"]["state"] for name, host in document["hosts"].items()}


def versions_in(document: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """What runs on each host, as `versions` tells it."""
    return {name: host["versions"] for name, host in document.items()}
