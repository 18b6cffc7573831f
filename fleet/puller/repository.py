"""States from a git repository: fetched without a checkout, so that no path, link or filter of its own touches this host.

<home>/pull/repository/   bare; refs/skiff is the last commit that was fetched, without its ancestors
"""

import os
import shutil
from urllib.parse import urlsplit

from fleet.agent.errors import AgentError
from fleet.puller import captured, head, objects
from fleet.puller.cures import CA, PROXY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Tuple

    from fleet.agent.state import State
    from fleet.puller.captured import Captured
    from fleet.puller.settings import Settings

PREFIX = "git+"
REF = "refs/skiff"
TIMEOUT = 900.0  # seconds
SAID = 1 << 16  # bytes
LARGEST_PACK = 1 << 20  # blocks of 512 bytes in one file that a fetch writes
CURE = "see that the repository can be reached from this host; the next try is at the timer's next turn"
# What git, curl or ssh says, in small letters, and what helps then.
CURES = (
    (
        "host key verification failed",
        "put the server's host key into /root/.ssh/known_hosts on this host, once you know that it is its own",
    ),
    ("permission denied (", "let root's SSH key of this host read the repository"),
    ("proxy", PROXY),
    ("connect tunnel failed", PROXY),
    ("certificate", CA),
)
# No question on a terminal, no configuration of the system's, no program that an address could name.
ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ASKPASS": "/bin/false",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=30",
    "LC_ALL": "C",
}


class Repository:
    """The source at a git+https://, git+ssh:// or git+file:// address. `requests` and `received` count as the web's do."""

    def __init__(self, settings: "Settings", state: "State") -> None:
        self._address = settings.source[len(PREFIX) :]
        self._branch = settings.reference
        self._host = settings.host
        self._proxied = bool(settings.proxy)
        self._folder = state.path("pull", "repository")
        self._environment = dict(ENVIRONMENT, **_ways(settings, state))
        self.requests = 0
        self.received = 0

    def head(self, tag: str) -> "Tuple[Optional[bytes], str]":
        """The signed head in the branch's last commit, and that commit; no head where it is still `tag`.

        Raises:
            AgentError: the repository cannot be asked, or has none.
        """
        commit = self._last_commit()
        if commit == tag and self._git("cat-file", "-e", commit, limit=SAID).status == 0:
            return None, tag
        self._fetch()
        name = "hosts/{}".format(self._host)
        found = self._git("cat-file", "blob", "{}:{}".format(REF, name), limit=head.LARGEST)
        if found.status != 0:
            raise AgentError(
                "{} has no {} in its branch {}".format(self._address, name, self._branch),
                found.said,
                "publish for this host there, commit and push",
            )
        return found.data, commit

    def chunks(self, digest: str, size: int) -> "Iterator[bytes]":
        """An object's bytes.

        Raises:
            AgentError: they are not there, or are not those of the digest.
        """
        found = self._git("cat-file", "blob", "{}:objects/{}".format(REF, digest), limit=size)
        if found.status != 0:
            raise AgentError("{} has no objects/{}".format(self._address, digest), found.said, "publish, commit and push again")
        return objects.checked(objects.cut(found.data), digest, size)

    def _last_commit(self) -> str:
        self.requests += 1
        name = "refs/heads/" + self._branch
        done = self._run(["git", "ls-remote", "--", self._address, name], SAID)
        if done.status == 127:
            raise AgentError("git is not on this host", done.said, "install the package git, or take states over HTTPS")
        if done.status != 0:
            raise self._failed(done)
        self.received += len(done.data)
        commit = done.data.decode("ascii", "replace").split("\t")[0]
        if not commit:
            raise AgentError("{} has no branch {}".format(self._address, self._branch), "", "push it, or name another by --branch")
        return commit

    def _fetch(self) -> None:
        if not os.path.isdir(os.path.join(self._folder, "objects")):
            shutil.rmtree(self._folder, ignore_errors=True)
            self._run(["git", "init", "--quiet", "--bare", self._folder], SAID)
        self.requests += 1
        before = _size(self._folder)
        refspec = "+refs/heads/{}:{}".format(self._branch, REF)
        done = self._git("fetch", "--quiet", "--no-tags", "--depth", "1", "--", self._address, refspec, limit=SAID)
        if done.status != 0:
            raise self._failed(done)
        self.received += max(0, _size(self._folder) - before)

    def _git(self, *words: str, limit: int) -> "Captured":
        return self._run(["git", "--git-dir", self._folder, *words], limit)

    def _run(self, argv: "List[str]", limit: int) -> "Captured":
        # What a hostile repository could fill the disk with is bounded by the kernel: git has no such option.
        bounded = ["/bin/sh", "-c", 'ulimit -f {} && exec "$@"'.format(LARGEST_PACK), "sh"]
        return captured.run(bounded + argv, limit, TIMEOUT, environment=self._environment)

    def _failed(self, done: "Captured") -> AgentError:
        if done.status is None:
            return AgentError("{} did not answer within {:g} s".format(self._address, TIMEOUT), done.said, CURE)
        said = done.said.lower()
        where = urlsplit(self._address)
        for name in (where.hostname or "", where.path.lower()):
            said = said.replace(name, "")  # that a repository is called certificates.git says nothing of the server's
        cures = [cure for word, cure in CURES if word in said and (cure != PROXY or self._proxied)]
        return AgentError("{} cannot be fetched from".format(self._address), done.said, cures[0] if cures else CURE)


def _ways(settings: "Settings", state: "State") -> "Dict[str, str]":
    """How git is told of the CA and the proxy: by a file, and by the environment that it hands on to libcurl."""
    ways = {"HOME": "/root"}
    if settings.proxy:
        ways["https_proxy"] = settings.proxy
    if settings.ca:
        state.prepare("pull")
        state.write(os.path.join("pull", "ca.pem"), settings.ca.encode("ascii"))
        ways["GIT_SSL_CAINFO"] = state.path("pull", "ca.pem")
    return ways


def _size(folder: str) -> int:
    """The bytes of its packs and loose objects."""
    return sum(os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(folder) for name in names)
