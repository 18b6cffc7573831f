"""A regular file with known bytes, mode and owner: how every kind that keeps a file compares and writes it."""

import os
import stat

from fleet.agent import accounts, atomic, checksum, diff, process
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, from_os
from fleet.agent.forecast import DIRECTORY, FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

    from fleet.agent.host import Host

CHUNK = 1 << 20


class Document:
    """What a file should be. `content` is a wire content, or `data` the bytes themselves; neither leaves the text alone."""

    def __init__(
        self,
        path: str,
        content: "Optional[Dict[str, Any]]" = None,
        data: "Optional[bytes]" = None,
        mode: str = "0644",
        owner: str = "root",
        group: str = "root",
        backup: bool = True,
        secret: bool = False,
        validate: "Sequence[str]" = (),
    ) -> None:
        self.path = real_path(path)
        self.content = content
        self.data = data
        self.mode = int(mode, 8)
        self.owner = owner
        self.group = group
        self.backup = backup
        self.secret = secret
        self.validate = validate
        # What the diff shows in place of the old and the new text, if that is not just these.
        self.shown: "Callable[[], Optional[Tuple[Optional[bytes], bytes]]]" = lambda: None

    def compare(self, host: "Host") -> "Optional[Change]":
        """What differs, or None.

        Raises:
            AgentError: its place is taken by something else, or its directory or owner is missing.
        """
        uid = host.accounts.owner(self.owner, host.forecast)
        gid = host.accounts.owning_group(self.group, host.forecast)
        found = look(self.path)
        if found is None or host.forecast.takes(self.path):
            require_parent(self.path, host)
            return self._differing(Change("create", "create {}".format(self.path)), True)
        if stat.S_ISLNK(found.st_mode):
            return self._differing(Change("update", "put a file in place of the link {}".format(self.path)), True)
        if not stat.S_ISREG(found.st_mode):
            raise AgentError("{} is {}, not a file".format(self.path, _kind(found.st_mode)), "", "move it away and run again")
        metadata = differing_metadata(found, self.mode, (uid, self.owner), (gid, self.group))
        text = self._text_differs(found.st_size)
        if not metadata and not text:
            return None
        parts = (["content"] if text else []) + [name for name, _, _ in metadata]
        change = Change("update", "update {} of {}".format(", ".join(parts), self.path))
        change.diff = "".join(diff.of_value("{} {}".format(self.path, name), old, new) for name, old, new in metadata)
        return self._differing(change, text)

    def write(self, change: Change, host: "Host") -> None:
        """Bring the file to what it should be; a copy of the old one is kept first.

        Raises:
            AgentError: it cannot be written, or `validate` refused it.
        """
        from fleet.agent import original  # read only where something changes: a run without changes stays short

        uid = host.accounts.owner(self.owner, host.forecast)
        gid = host.accounts.owning_group(self.group, host.forecast)
        found = look(self.path)
        same_text = found is not None and stat.S_ISREG(found.st_mode) and not self._text_differs(found.st_size)
        ours = host.ledger.mark(self._digest_to_be())
        change.backup = original.enter(self.path, host, ours, self.backup and not same_text, self.secret)
        if same_text:
            set_metadata(self.path, self.mode, uid, gid)
            return
        atomic.write(self.path, self._chunks(host), self.mode, uid, gid, self._check if self.validate else None)

    def _differing(self, change: Change, text: bool) -> Change:
        if text and self.content is not None:
            change.contents = [self.content]
        if text:
            self._plan_diff(change)
        return change

    def _plan_diff(self, change: Change) -> None:
        shown = self.shown()
        if shown is not None:
            change.diff += diff.of_texts(self.path, *shown)
            return
        if self.secret:
            change.diff += "{}: content not shown\n".format(self.path)
            return
        if self.content is None:
            change.diff += diff.of_texts(self.path, self._old(), self.data or b"")
            return
        content, head = self.content, change.diff
        if content["size"] > diff.LARGEST:
            change.diff += "{}: {} bytes, not shown\n".format(self.path, content["size"])
            return
        change.shown = [content]
        change.draw = lambda read: head + diff.of_texts(self.path, self._old(), read(content))

    def _text_differs(self, size: int) -> bool:
        if self.content is None and self.data is None:
            return False
        wanted = self.content["size"] if self.content is not None else len(self.data or b"")
        if size != wanted:
            return True
        return read(self.path) != self.data if self.content is None else digest(self.path) != self.content["sha256"]

    def _digest(self) -> str:
        if self.content is not None:
            return str(self.content["sha256"])
        return checksum.of(self.data or b"")

    def _digest_to_be(self) -> str:
        untouched = self.content is None and self.data is None and os.path.isfile(self.path)
        return digest(self.path) if untouched else self._digest()

    def _old(self) -> "Optional[bytes]":
        found = look(self.path)
        if found is None:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        with open(self.path, "rb") as stream:
            return stream.read(diff.LARGEST + 1)

    def _chunks(self, host: "Host") -> "Iterable[bytes]":
        return host.contents.chunks(self.content) if self.content is not None else [self.data or b""]

    def _check(self, temporary: str) -> None:
        done = judged(temporary, self.validate, self.secret)
        if done.status != 0:
            raise done.failure(
                "the new {} is not valid; the old one was kept".format(self.path), "correct its content and run again"
            )


def judged(path: str, validate: "Sequence[str]", secret: bool) -> process.Finished:
    """What the command `validate` says of a file under another name; of a secret one, whether it is content alone."""
    done = process.run([word.replace("{}", path) for word in validate], timeout=300)
    if done.status != 0 and secret:
        return process.Finished(done.argv, done.status, "", "what it said is not shown: the file is secret")
    return done


def real_path(path: str) -> str:
    """Where a file's bytes are: a link to a regular file is followed if root alone can change it.

    Raises:
        AgentError: the link is one that somebody else could point elsewhere.
    """
    return followed(path) if os.path.isfile(path) else path


def followed(path: str) -> str:
    """Where a link leads, if root alone can change it; any other path as it is.

    Raises:
        AgentError: the link is one that somebody else could point elsewhere.
    """
    if not os.path.islink(path):
        return path
    trusted = (0, os.geteuid())
    folder = os.stat(os.path.dirname(path) or "/")
    open_to_all = folder.st_mode & 0o002
    if os.lstat(path).st_uid not in trusted or folder.st_uid not in trusted or open_to_all:
        raise AgentError(
            "{} is a link that another user may change".format(path), "it points to {}".format(os.readlink(path)), "remove the link"
        )
    return os.path.realpath(path)


def look(path: str) -> "Optional[os.stat_result]":
    """What is at `path`, links not followed; None where there is nothing.

    Raises:
        AgentError: it cannot be told.
    """
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os(error, path) from error


def read(path: str) -> bytes:
    """A file's bytes.

    Raises:
        AgentError: it cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read()
    except OSError as error:
        raise from_os(error, path) from error


def digest(path: str) -> str:
    """A file's sha256.

    Raises:
        AgentError: it cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            return checksum.sha256(iter(lambda: stream.read(CHUNK), b""), os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise from_os(error, path) from error


def require_parent(path: str, host: "Host") -> None:
    """Insist that the directory `path` lies in is there, or will be.

    Raises:
        AgentError: it is not.
    """
    parent = os.path.dirname(path)
    if host.forecast.paths.get(parent) == DIRECTORY or (os.path.isdir(parent) and not host.forecast.takes(parent)):
        return
    if not os.path.lexists(parent) and host.forecast.paths.get(parent) != FILE and host.forecast.brings(parent):
        return
    raise AgentError("no directory {} for {}".format(parent, path), "", "declare the directory before what lies in it")


def differing_metadata(
    found: os.stat_result, mode: int, owner: "tuple[int, str]", group: "tuple[int, str]"
) -> "List[tuple[str, str, str]]":
    """Mode, owner and group where they differ, each as name, old and new."""
    differing = []
    if stat.S_IMODE(found.st_mode) != mode:
        differing.append(("mode", "{:04o}".format(stat.S_IMODE(found.st_mode)), "{:04o}".format(mode)))
    if found.st_uid != owner[0]:
        differing.append(("owner", accounts.user_name(found.st_uid), owner[1]))
    if found.st_gid != group[0]:
        differing.append(("group", accounts.group_name(found.st_gid), group[1]))
    return differing


def set_metadata(path: str, mode: int, uid: int, gid: int) -> None:
    """Set owner, then mode (a change of owner clears bits of it), of what is at `path` and no link.

    Raises:
        AgentError: the kernel refuses.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise from_os(error, path) from error


def _kind(mode: int) -> str:
    names = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link", stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe"}
    return names.get(stat.S_IFMT(mode), "a device")
