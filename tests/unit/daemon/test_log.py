"""The daemon's log as journald and a terminal get it."""

from __future__ import annotations

import logging

import pytest

from skiff.daemon import logs
from skiff.engine.settings import Settings


def record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("skiff.x", level, "f", 1, message, (), None)


@pytest.mark.parametrize(("level", "priority"), [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3)])
def test_every_line_carries_the_priority(level: int, priority: int) -> None:
    text = logs.JournalFormatter("%(name)s: %(message)s").format(record(level, "one\ntwo"))
    assert text == f"<{priority}>skiff.x: one\n<{priority}>two"


@pytest.mark.parametrize(
    ("settings", "level"),
    [(Settings(), logging.INFO), (Settings(debug=True), logging.DEBUG), (Settings(log_level="warn"), logging.WARNING)],
)
def test_the_level_follows_the_settings(settings: Settings, level: int) -> None:
    logs.set_up(settings)
    assert logging.getLogger("skiff").level == level
    logging.getLogger("skiff").setLevel(logging.NOTSET)
