"""The container engine of this host, Skiff's or Docker's, asked over its socket in Docker's API."""

import contextlib
import http.client
import json
import os
import socket

from fleet.agent import process
from fleet.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Dict, List, Optional

SKIFF, DOCKER = "/run/skiff.sock", "/var/run/docker.sock"
DROP_IN = "/etc/systemd/system/docker.service.d/skiff.conf"  # it has the line X-Skiff=engine where Skiff set Docker's own engine up
ANSWER = 60.0
LOADING = 3600.0  # seconds without a byte while an engine takes in an archive: a layer of many files on a slow disk says nothing
NOT_FOUND = 404


class Engine:
    """An engine by its socket. `unit` is the service to look at when it does not answer."""

    def __init__(self, path: str, unit: str) -> None:
        self.path = path
        self.unit = unit

    def get(self, path: str) -> "Any":
        """What a GET answers, or None where the engine has no such thing.

        Raises:
            AgentError: the engine does not answer, or refuses.
        """
        with self._asked("GET", path, ANSWER) as answer:
            if answer.status == NOT_FOUND:
                return None
            return _parsed(_whole(answer))

    def load(self, archive: "IO[bytes]", size: int) -> "List[str]":
        """Give the engine an image archive; what it says of each image.

        Raises:
            AgentError: it refuses the archive, or ends before it has taken it in.
        """
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
        with self._asked("POST", "/images/load?quiet=1", LOADING, archive, headers) as answer:
            lines = [_parsed(line) for line in _whole(answer).splitlines() if line.strip()]
        for line in lines:
            if line.get("error"):
                raise AgentError("the engine does not take the archive", str(line["error"]))
        return [str(line.get("stream", "")).strip() for line in lines]

    @contextlib.contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        patience: float,
        body: "Optional[IO[bytes]]" = None,
        headers: "Optional[Dict[str, str]]" = None,
    ) -> "Any":
        connection = _Connection(self.path, patience)
        try:
            try:
                connection.request(method, path, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                if body is None:
                    raise  # else it may have said why it reads no further
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        finally:
            connection.close()

    def _silent(self, error: Exception) -> AgentError:
        name = self.unit.partition(".")[0]
        cure = "systemctl status {0}; journalctl -u {0}".format(self.unit)
        return AgentError("{} does not answer at {}".format(name, self.path), str(error) or type(error).__name__, cure)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def of_host() -> Engine:
    """The engine that is this host's: Docker's own where Skiff set it up and Skiff's daemon is at rest, else Skiff's."""
    with contextlib.suppress(OSError), open(DROP_IN, "rb") as stream:
        if b"X-Skiff=engine" in stream.read() and process.run(["systemctl", "--quiet", "is-active", "skiff.service"]).status:
            return Engine(DOCKER, "docker.service")
    return Engine(SKIFF, "skiff.service")


def all_there() -> "List[Engine]":
    """Every engine that has a socket on this host, each once: Docker's path may lead to Skiff."""
    found = {}  # type: Dict[str, Engine]
    for engine in (Engine(SKIFF, "skiff.service"), Engine(DOCKER, "docker.service")):
        if os.path.exists(engine.path):
            found.setdefault(os.path.realpath(engine.path), engine)
    return list(found.values())


def _whole(answer: http.client.HTTPResponse) -> bytes:
    data = answer.read()
    if answer.status >= 300:
        said = _parsed(data).get("message", "")
        raise AgentError("the engine refuses", str(said) or "HTTP status {}".format(answer.status))
    return data


def _parsed(data: bytes) -> "Any":
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise AgentError("the engine's answer is not JSON", repr(data[:200])) from error
