"""One pull: settings, a signed head, the host's document, the agent's run; the outcome in the journal and in status.json.

Exit status: 0 converged, 1 failed. A failure before the agent's run leaves the host as it is.
"""

import os
import resource
import signal
import sys
import time

from fleet.agent import process
from fleet.agent.errors import AgentError, from_os
from fleet.agent.state import State
from fleet.puller import document, exchange, head, kept, objects, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Union

    from fleet.puller.document import Document
    from fleet.puller.head import Head
    from fleet.puller.kept import Kept
    from fleet.puller.repository import Repository
    from fleet.puller.settings import Settings
    from fleet.puller.web import Web

SETTINGS = "/etc/skiff-pull/settings.json"
KEY = "/etc/skiff-pull/host.key"
HOME = "/var/lib/skiff-agent"
# systemd's journal takes a line's priority from its beginning.
ERROR, WARNING, NOTICE = "<3>", "<4>", "<5>"


class Pull:
    """One pull, from the places where things lie on this host."""

    def __init__(self, settings_path: str, key_path: str, home: str) -> None:
        self._settings_path = settings_path
        self._key_path = key_path
        self._state = State(home)
        self._stop = False
        self._begun = time.time()
        self.status: "Dict[str, Any]" = {"result": "failed", "begun": self._begun, "requests": 0, "bytes": 0, "error": None}

    def __call__(self) -> int:
        """Do it all, and say how it went; the exit status."""
        signal.signal(signal.SIGTERM, self._terminated)
        try:
            self._pull()
        except AgentError as error:
            self._fail(error)
        except OSError as error:
            self._fail(from_os(error, self._state.home))
        except Exception as error:
            self._fail(AgentError("internal error: {}: {}".format(type(error).__name__, error), "", "please report this"))
        return self._close()

    def _pull(self) -> None:
        own = settings.read(self._settings_path)
        known = kept.Kept(self._state)
        source = _source(own, self._state)
        try:
            newest = self._head(own, known, source)
            self.status.update(serial=newest.serial, made=newest.made, who=newest.who, expires=newest.expires)
            sealed = known.document(newest.document[0]) or known.keep_document(source.chunks(*newest.document))
            self._converge(own, newest, document.opened(sealed, self._key_path), source)
        finally:
            self.status.update(requests=source.requests, bytes=source.received)

    def _head(self, own: "Settings", known: "Kept", source: "Union[Web, Repository]") -> "Head":
        """The newest head that this host may take."""
        place = "{} {}".format(own.source, own.reference).strip()
        data, tag = source.head(known.tag_for(place))
        # An unchanged head is held against the keys again: they may have been changed because one was stolen.
        found = head.opened(known.head if data is None else data, own.keys, own.host)
        head.refuse_older(found, known.serial, known.made)
        known.take(found, place, tag)
        return found

    def _converge(self, own: "Settings", newest: "Head", state: "Document", source: "Union[Web, Repository]") -> None:
        def contents(digest: str) -> "Iterator[bytes]":
            if digest in state.contents:
                return objects.cut(state.contents[digest])
            if digest == newest.agent[0]:
                return source.chunks(*newest.agent)
            return source.chunks(digest, newest.size_of(digest))

        agent = exchange.Agent(state.start, newest.agent[0], contents)
        try:
            state.refuse_other(agent.hello()["facts"])
            self._run(agent, own, newest, state)
        finally:
            agent.end()

    def _run(self, agent: exchange.Agent, own: "Settings", newest: "Head", state: "Document") -> None:
        desired = {
            "mode": "apply",
            "run": time.strftime("%Y%m%d-%H%M%S-pull", time.gmtime(self._begun)),
            "who": "skiff-pull pid {}, published by {} {}".format(os.getpid(), newest.who, newest.made),
            "diff": False,
            "lock_timeout": own.patience,
            # Who took this host out of pull mode held the lock: what was undone is not to be done again.
            "needs": os.path.abspath(self._settings_path),
            "secrets": state.secrets,
            "resources": state.resources,
            "probes": [],
        }
        self.status["run"] = desired["run"]
        results, done = [], {}  # type: list[Dict[str, Any]], Dict[str, Any]
        for message in agent.run(desired, lambda: self._stop):
            if message["type"] == "result":
                results.append(message)
                if message["status"] == "changed":
                    _say(NOTICE, "changed {}: {}".format(message["id"], message["summary"]))
            elif message["type"] == "waiting":
                _say(NOTICE, "waiting for another run: {}".format(message["holder"].get("who")))
            elif message["type"] == "done":
                done = message
        counts = {name: sum(one["status"] == name for one in results) for name in ("ok", "changed", "failed", "skipped")}
        self.status.update(counts=counts, reboot=done["reboot"])
        failed = exchange.failures(results)
        if failed:
            raise AgentError("{id}: {brief}".format(**failed[0]), failed[0]["details"], failed[0]["resolution"])
        if done["interrupted"] and not os.path.exists(self._settings_path):
            raise AgentError("this host was taken out of pull mode while the pull waited for its turn", "", "nothing is to be done")
        if done["interrupted"]:
            raise AgentError("the run was stopped before it was done", "", "the next one continues from there")
        self.status["result"] = "changed" if counts["changed"] else "unchanged"

    def _terminated(self, _number: int, _frame: "Any") -> None:
        if "run" not in self.status:
            raise AgentError("stopped before anything was done", "", "the next pull begins anew")
        self._stop = True

    def _fail(self, error: AgentError) -> None:
        self.status.update(result="failed", error=error.to_wire())
        for line in (error.brief, *error.details.splitlines()):
            _say(ERROR, line)
        if error.resolution:
            _say(ERROR, "-> " + error.resolution)

    def _close(self) -> int:
        """Keep the outcome, where there is still a place for it, and say it."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used)
        ended = time.time()
        self.status.update(ended=ended, seconds=round(ended - self._begun, 3), cpu=round(cpu, 3))
        if self.status.get("expires", ended) < ended:
            _say(WARNING, "what is published expired {}: publish again".format(_day(self.status["expires"])))
        if os.path.exists(self._settings_path):
            try:
                kept.write_status(self._state, self.status)
            except AgentError as error:
                _say(ERROR, "the outcome cannot be kept: {}".format(error.brief))
        if self.status["result"] == "failed":
            return 1
        _say(NOTICE, "converged: {counts[changed]} changed, {counts[ok]} ok; published {made} by {who}".format(**self.status))
        for reason in self.status["reboot"]:
            _say(WARNING, "has to be started anew: {}".format(reason))
        return 0


def _source(own: "Settings", state: State) -> "Union[Web, Repository]":
    if own.source.startswith("git+"):
        from fleet.puller.repository import Repository

        return Repository(own, state)
    from fleet.puller.web import Web

    return Web(own)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _say(priority: str, text: str) -> None:
    data = "{}{}\n".format(priority if os.environ.get("JOURNAL_STREAM") else "", text)
    sys.stderr.write(data.encode("ascii", "backslashreplace").decode("ascii"))
    sys.stderr.flush()


def main(settings_path: str = SETTINGS, key_path: str = KEY, home: str = HOME) -> int:
    """Pull once."""
    os.umask(0o077)
    if process.SCRATCH:
        os.environ["TMPDIR"] = process.SCRATCH  # in memory, and nobody else's to write in
    return Pull(settings_path, key_path, home)()
