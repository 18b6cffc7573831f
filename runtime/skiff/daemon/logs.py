"""The daemon's own log, on standard error: lines with a level, or with the priority that journald reads from them."""

from __future__ import annotations

import logging
import os
import sys

from skiff.engine.settings import Settings

LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR", "fatal": "CRITICAL"}
# sd-daemon(3): <3> is an error, <7> a debug message.
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class JournalFormatter(logging.Formatter):
    """Each line of a message with its priority."""

    def format(self, record: logging.LogRecord) -> str:
        """Priorities stand at the start of lines, and a message may have several."""
        prefix = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(settings: Settings) -> None:
    """Begin to log, or change the level."""
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        under_journald = "JOURNAL_STREAM" in os.environ
        handler.setFormatter(
            JournalFormatter("%(name)s: %(message)s")
            if under_journald
            else logging.Formatter("%(levelname)s %(name)s: %(message)s")
        )
        logging.getLogger().addHandler(handler)
    logging.getLogger("skiff").setLevel("DEBUG" if settings.debug else LEVELS[settings.log_level])
