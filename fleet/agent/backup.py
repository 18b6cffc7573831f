"""Copies of what a run replaces or removes, under /var/lib/skiff-agent/backup/<run>, root's alone."""

import os
import stat

from fleet.agent.errors import from_os
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class Backups:
    """One run's copies."""

    def __init__(self, state: State, run: str) -> None:
        self._state = state
        self.run = run

    def keep(self, path: str, private: bool = False) -> "Optional[str]":
        """Copy what is at `path`, a file or link, and say where the copy is; None where there is nothing.

        A `private` copy is 0600 and the agent's own, whatever the file was.

        Raises:
            AgentError: it cannot be copied; nothing may be replaced then.
        """
        if not os.path.lexists(path):
            return None
        folders = os.path.dirname(os.path.abspath(path)).strip(os.sep).split(os.sep)
        folder = self._state.prepare("backup", self.run, *[part for part in folders if part])
        copy = name = os.path.join(folder, os.path.basename(path))
        number = 1
        while os.path.lexists(copy):  # changed twice in one run: the first copy may be the original
            number += 1
            copy = "{}~{}".format(name, number)
        try:
            if os.path.islink(path):
                os.symlink(os.readlink(path), copy)
            else:
                _copy(path, copy, private)
        except OSError as error:
            raise from_os(error, copy) from error
        return copy


def _copy(source: str, target: str, private: bool) -> None:
    import shutil  # slow to import

    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(source, "rb") as old, open(descriptor, "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        if not private:
            found = os.fstat(old.fileno())
            os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
        os.fsync(descriptor)
