"""Runs the host's programs: no shell, no terminal, output captured, one environment."""

import os

from fleet.agent import child, output
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Dict, Iterable, Optional, Sequence

MISSING = 127
TIMED_OUT = 124
LONGEST = 4 << 20  # bytes of output kept, the last ones: a failure is told at the end
SCRATCH = "/run" if os.access("/run", os.W_OK) else None  # memory: a full disk hides no message


class Finished:
    """What a program left: exit status, 127 where it is missing, 124 where its time ran out."""

    def __init__(self, argv: "Sequence[str]", status: int, stdout: str, stderr: str) -> None:
        self.argv = argv
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    def last_lines(self, count: int = 20) -> str:
        """The end of what it said, for an error's details."""
        said = [line.rstrip() for line in (self.stdout + "\n" + self.stderr).splitlines() if line.strip()]
        return "\n".join(said[-count:])

    def failure(self, brief: str, resolution: str = "") -> AgentError:
        """An error that tells the status and the last lines."""
        head = "{} exited with status {}".format(" ".join(self.argv), self.status)
        if self.status == MISSING:
            head = "{} is not installed".format(self.argv[0])
        return AgentError(brief, "\n".join(part for part in (head, self.last_lines()) if part), resolution)


def which(name: str) -> "Optional[str]":
    """The path of a program, or None."""
    if os.sep in name:
        return name if os.access(name, os.X_OK) else None
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def run(
    argv: "Sequence[str]",
    timeout: "Optional[float]" = None,
    log: "Optional[str]" = None,
    given: "Iterable[bytes]" = (),
    environment: "Optional[Dict[str, str]]" = None,
    plainly: bool = False,
) -> Finished:
    """Run a program to its end in a session of its own, with `given` to read.

    `environment` goes over ours; `plainly` runs it as a user without rights. With `log` its output goes to that file.

    What it leaves running holds nobody up. Of endless output head and tail are kept.
    """
    if log is not None:
        return _logged(argv, log, timeout, environment)
    piped = output.Piped(given)
    try:
        status = child.run(argv, piped.streams(), timeout, lambda: None, environment, plainly, piped)
        piped.serve(0)  # what it said last
        return Finished(argv, TIMED_OUT if status is None else status, piped.said(0), piped.said(1))
    except OSError as error:
        return _missing(argv, error)
    finally:
        piped.close()


def _logged(argv: "Sequence[str]", log: str, timeout: "Optional[float]", environment: "Optional[Dict[str, str]]") -> Finished:
    """Run a program that writes to files: a transaction whose agent was killed does not die of a broken pipe."""
    with open(log, "w+b") as out, _scratch() as err, open(os.devnull, "rb") as source:
        files = output.Bounded(out), output.Bounded(err)

        def cut() -> None:
            for file in files:
                file.cut()

        try:
            status = child.run(argv, (source.fileno(), out.fileno(), err.fileno()), timeout, cut, environment)
        except OSError as error:
            return _missing(argv, error)
        cut()
        return Finished(argv, TIMED_OUT if status is None else status, text(out), text(err))


def _missing(argv: "Sequence[str]", error: OSError) -> Finished:
    return Finished(argv, MISSING, "", "{}: {}".format(argv[0], error.strerror))


def _scratch() -> "IO[bytes]":
    """A file without a name."""
    if SCRATCH:
        try:
            return open(os.open(SCRATCH, os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600), "w+b")
        except OSError:
            pass  # an old kernel, or a file system that has no such files
    import tempfile  # slow to import

    return tempfile.TemporaryFile(dir=SCRATCH)


def text(stream: "IO[bytes]") -> str:
    """What a program wrote to a file; of very much the end."""
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - LONGEST))
    return stream.read(LONGEST).decode("utf-8", "replace")
