"""Where skiff-oci says what went wrong: on the terminal, and in the log file that a caller such as containerd reads."""

from __future__ import annotations

import os

from skiff.errors import suppress
from skiff.oci import clock
from skiff.spec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ERROR, _WARNING, _DEBUG = "error", "warning", "debug"


class Log:
    """One run's; set up by the global flags."""

    def __init__(self) -> None:
        self.path, self.json, self.verbose = "", False, False

    def configure(self, flags: Mapping[str, str]) -> None:
        """From --log, --log-format and --debug."""
        self.path, self.json = flags.get("log", ""), flags.get("log-format") == "json"
        self.verbose = "debug" in flags

    def error(self, message: str) -> None:
        """What ends the run."""
        self._write(_ERROR, message)
        _say(message)

    def warning(self, message: str) -> None:
        """What was ignored."""
        if not self.path:
            _say(f"warning: {message}")
        self._write(_WARNING, message)

    def debug(self, message: str) -> None:
        """What is done, for --debug."""
        if not self.verbose:
            return
        if not self.path:
            _say(f"debug: {message}")
        self._write(_DEBUG, message)

    def _write(self, level: str, message: str) -> None:
        if not self.path:
            return
        if self.json:
            line = jsontext.dumps({"level": level, "msg": message, "time": clock.now()})
        else:
            line = f'time="{clock.now()}" level={level} msg={jsontext.dumps(message)}'
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            _say(f"--log {self.path}: {error.strerror}")


def _say(message: str) -> None:
    """By the descriptor itself: under containerd a pod's cannot be written, and Python's own stream would fail at the end."""
    with suppress(OSError):
        os.write(2, f"skiff-oci: {message}\n".encode("utf-8", "backslashreplace"))


LOG = Log()
