"""The agent's side of the exchange: hello, one desired state, one lock, and an orderly end whatever happens."""

import os
import time

from fleet.agent import facts, plan
from fleet.agent.errors import AgentError, ControlGone
from fleet.agent.frames import JSON, Channel, decode
from fleet.agent.lock import Lock
from fleet.agent.program import Program
from fleet.agent.signals import signal
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from fleet.agent.run import Run

PROTOCOL = 1
FAILED = 3  # 1 is a Python that does not start
MODES = "check", "apply", "verify"


class Conversation:
    """One exchange, from the facts to the last frame."""

    def __init__(self, channel: Channel, state: State, lock: Lock, program: Program) -> None:
        self._channel = channel
        self._state = state
        self._lock = lock
        self._program = program
        self._run: "Optional[Run]" = None

    def hold(self) -> int:
        """Talk to the end; the exit status."""
        try:
            found = facts.gather()
            said = time.time()
            self._channel.send({"type": "hello", "protocol": PROTOCOL, "cached": self._program.cached, "facts": found})
            import fleet.agent.run  # noqa: F401 # half of the agent: it is read while the control side makes up its mind

            desired = self._desired()
            if desired is not None:
                if "clock" in desired:
                    desired["clock"] += [said, time.time()]
                self._obey(desired, found)
            return 0
        except ControlGone:
            return self._stopped()
        except AgentError as error:
            return self._fatal(error)
        except Exception as error:
            return self._fatal(plan.internal(error))
        finally:
            self._lock.release()

    def _desired(self) -> "Optional[Dict[str, Any]]":
        frame = self._channel.receive()
        message = decode(frame[1]) if frame is not None and frame[0] == JSON else {"type": "no message"}
        if message["type"] == "quit":
            return None
        if message["type"] != "desired" or message.get("mode") not in MODES:
            raise AgentError("the control side sent {} where a desired state was due".format(message["type"]))
        return message

    def _obey(self, desired: "Dict[str, Any]", found: "Dict[str, Any]") -> None:
        from fleet.agent.run import Run

        if desired["secrets"]:
            from fleet.agent.redaction import Redaction

            self._channel.redact = Redaction(desired["secrets"])
        holder = {
            "who": desired["who"],
            "run": desired["run"],
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._lock.acquire(holder, desired["lock_timeout"], self._waiting, self._pause)
        if not os.path.exists(desired.get("needs") or "/"):
            self._stopped()
            return
        undo = desired.get("undo") or {}
        if undo.get("what") == "copies":
            self._tell_copies()
            return
        if desired["mode"] == "apply" and undo.get("what") != "deprovision":
            self._program.keep(self._state)
        self._run = Run(self._channel, self._state, found, desired)
        signal.signal(signal.SIGTERM, self._terminated)
        done = self._run.execute()
        self._lock.release()
        self._channel.send(done)
        if desired["mode"] == "apply" and undo.get("what") != "deprovision":
            self._program.keep_code(self._state)  # nobody waits for it any more
            self._run.remember()

    def _tell_copies(self) -> None:
        from fleet.agent import undoing

        self._channel.send({"type": "copies", "copies": undoing.copies(self._state)})
        self._stopped(interrupted=False)

    def _waiting(self, holder: "Dict[str, Any]") -> None:
        self._channel.send({"type": "waiting", "holder": holder})

    def _pause(self, seconds: float) -> None:
        frame = self._channel.receive(seconds)
        if frame is not None and frame[0] == JSON and decode(frame[1])["type"] == "stop":
            raise ControlGone()

    def _terminated(self, _number: int, _frame: "Any") -> None:
        if self._run is not None:
            self._run.stop = True

    def _stopped(self, interrupted: bool = True) -> int:
        """Nothing was touched: the control side is gone, or wants no more."""
        self._lock.release()
        done = {"type": "done", "changed": 0, "failed": 0, "skipped": 0, "reboot": [], "left": [], "interrupted": interrupted}
        self._channel.send(done)
        return 0

    def _fatal(self, error: AgentError) -> int:
        self._lock.release()
        self._channel.send({"type": "fatal", "error": error.to_wire()})
        return FAILED


def begin(program: Program, home: str, lock: str) -> int:
    """Take the descriptors for the frames, give children harmless ones, and talk."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o022)
    os.chdir("/")
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Conversation(Channel(source, sink), State(home, program.digest), Lock(lock), program).hold()
