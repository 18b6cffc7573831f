"""Where skiff-oci says what went wrong: on the terminal, and in the log file that a caller such as containerd reads."""

from __future__ import annotations

import os

from skiff.errors import InvalidInput, suppress
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
        """From --log, --log-format and --debug; InvalidInput for a file that cannot be written."""
        self.json, self.verbose = flags.get("log-format") == "json", "debug" in flags
        if flags.get("log"):  # empty, as callers hand on what is not set, is none
            try:
                os.close(os.open(flags["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666))
            except OSError as error:
                raise InvalidInput(f"--log {flags['log']}: {error.strerror}") from None
            self.path = flags["log"]

    def error(self, message: str) -> None:
        """What ends the run."""
        self._write(_ERROR, message)
        self._tell(_ERROR, message, f"skiff-oci: {message}")

    def warning(self, message: str) -> None:
        """What was ignored."""
        self._write(_WARNING, message)
        if not self.path:
            self._tell(_WARNING, message, f"skiff-oci: warning: {message}")

    def debug(self, message: str) -> None:
        """What is done, for --debug."""
        if not self.verbose:
            return
        self._write(_DEBUG, message)
        if not self.path:
            self._tell(_DEBUG, message, f"skiff-oci: debug: {message}")

    def _tell(self, level: str, message: str, line: str) -> None:
        """On the standard error, which is the log where there is no file."""
        _say(self._entry(level, message) if self.json and not self.path else line)

    def _entry(self, level: str, message: str) -> str:
        return jsontext.dumps({"level": level, "msg": message, "time": clock.now()})

    def _write(self, level: str, message: str) -> None:
        if not self.path:
            return
        line = self._entry(level, message) if self.json else f'time="{clock.now()}" level={level} msg={jsontext.dumps(message)}'
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            _say(f"skiff-oci: --log {self.path}: {error.strerror}")


def _say(line: str) -> None:
    """By the descriptor itself: under containerd a pod's cannot be written, and Python's own stream would fail at the end."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))


LOG = Log()
