"""Users and groups: names to numbers for owners, and the host's own files for what is declared about accounts."""

import os

from fleet.agent.errors import AgentError
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

UNKNOWN = -1
USERS, GROUPS = "/etc/passwd", "/etc/group"


class Accounts:
    """/etc/passwd and /etc/group, read when first needed."""

    def __init__(self) -> None:
        self._users: "Optional[Dict[str, List[str]]]" = None
        self._groups: "Optional[Dict[str, List[str]]]" = None

    def user(self, name: str) -> "Optional[List[str]]":
        """A user's seven fields of /etc/passwd."""
        if self._users is None:
            self._users = _table(USERS, 7)
        return self._users.get(name)

    def group(self, name: str) -> "Optional[List[str]]":
        """A group's four fields of /etc/group."""
        if self._groups is None:
            self._groups = _table(GROUPS, 4)
        return self._groups.get(name)

    def groups_of(self, user: str) -> "List[str]":
        """The groups that name a user as a member."""
        if self._groups is None:
            self._groups = _table(GROUPS, 4)
        return sorted(name for name, row in self._groups.items() if user in row[3].split(","))

    def of_group(self, number: str) -> "List[str]":
        """The users whose own group has this number."""
        if self._users is None:
            self._users = _table(USERS, 7)
        return sorted(name for name, row in self._users.items() if row[3] == number)

    def owner(self, name: str, forecast: Forecast) -> int:
        """A user's number, from any source the host knows; -1 where a pending change will make it.

        Raises:
            AgentError: there is no such user, and none to come.
        """
        if name.isdigit():
            return int(name)
        if name in forecast.gone_users:
            raise AgentError("user {} will have been removed".format(name), "", "keep the user, or give another owner")
        known = self.user(name)
        if known is not None:
            return int(known[2])
        import pwd  # slow to import: few names are in no file

        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            if name in forecast.users or forecast.installing:
                return UNKNOWN
            raise AgentError("no user {}".format(name), "", "declare the user before what it owns") from None

    def owning_group(self, name: str, forecast: Forecast) -> int:
        """A group's number, as `owner` has it."""
        if name.isdigit():
            return int(name)
        if name in forecast.gone_groups:
            raise AgentError("group {} will have been removed".format(name), "", "keep the group, or give another one")
        known = self.group(name)
        if known is not None:
            return int(known[2])
        import grp

        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            if name in forecast.groups or name in forecast.users or forecast.installing:
                return UNKNOWN
            raise AgentError("no group {}".format(name), "", "declare the group before what it owns") from None


def user_name(number: int) -> str:
    """A user's name for a summary, or its number."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """A group's name for a summary, or its number."""
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _table(path: str, width: int) -> "Dict[str, List[str]]":
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        rows = [line.rstrip("\n").split(":") for line in stream]
    return {row[0]: row for row in rows if len(row) >= width}
