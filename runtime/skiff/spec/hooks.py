"""What makes the hooks of a config.json invalid."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.spec.fields import Checker

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
MAX_TIMEOUT = 1 << 31  # seconds


def check(checker: Checker, hooks: Any) -> None:
    """Refuse what is wrong, by its key; stages that the specification does not name are ignored."""
    table = checker.optional_table("hooks", hooks)
    for stage in STAGES:
        for index, hook in enumerate(checker.rows(f"hooks.{stage}", table.get(stage))):
            key = f"hooks.{stage}[{index}]"
            if not checker.text(f"{key}.path", hook.get("path")).startswith("/"):
                raise checker.wrong(f"{key}.path", "must be an absolute path")
            for name in ("args", "env"):
                checker.optional_strings(f"{key}.{name}", hook.get(name))
            if hook.get("timeout") is not None:
                checker.number(f"{key}.timeout", hook["timeout"], 1, MAX_TIMEOUT)
