"""Looks a user up in the container's own passwd and group files, given as bytes: no NSS, no codec, Docker's rules.

`name`, `uid`, `name:group`, `uid:gid`; a number need not be listed; groups of the user are taken up unless a group is named.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE = 4 << 20
MAX_ID = 0x7FFFFFFF
MAX_DIGITS = 10  # of MAX_ID; a number of megabytes takes minutes to convert
PASSWD_FIELDS = 6
GROUP_FIELDS = 4


class Identity:
    """Who the process becomes; `home` is the root directory for a user that is not listed."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int, gid: int, groups: list[int], home: bytes) -> None:
        self.uid, self.gid, self.groups, self.home = uid, gid, groups, home


class NoSuchUser(Exception):
    """The name is not in the passwd file, or the number is out of range."""


class NoSuchGroup(Exception):
    """The same for the group file."""


def lookup(wanted: bytes, passwd: bytes, group: bytes) -> Identity:
    """The user that `wanted` names."""
    user, _, group_name = wanted.partition(b":")
    uid, gid, home, name = _user(user or b"0", passwd)
    groups = []
    if group_name:
        gid = _group(group_name, group)
    elif name is not None:
        groups = [fields[2] for fields in _rows(group, GROUP_FIELDS, (2,)) if name in fields[3].split(b",")]
    return Identity(uid, gid, [int(number) for number in groups if int(number) != gid], home)


def home_of(uid: int, passwd: bytes) -> bytes:
    """The home directory of a uid."""
    for fields in _rows(passwd, PASSWD_FIELDS, (2, 3)):
        if int(fields[2]) == uid:
            return fields[5] or b"/"
    return b"/"


def _user(user: bytes, passwd: bytes) -> tuple[int, int, bytes, bytes | None]:
    for fields in _rows(passwd, PASSWD_FIELDS, (2, 3)):
        if user in (fields[0], fields[2]):
            return int(fields[2]), int(fields[3]), fields[5] or b"/", fields[0]
    if not _is_id(user):
        raise NoSuchUser
    return int(user), 0, b"/", None


def _group(wanted: bytes, group: bytes) -> int:
    for fields in _rows(group, GROUP_FIELDS, (2,)):
        if wanted in (fields[0], fields[2]):
            return int(fields[2])
    if not _is_id(wanted):
        raise NoSuchGroup
    return int(wanted)


def _is_id(text: bytes) -> bool:
    return text.isdigit() and len(text) <= MAX_DIGITS and int(text) <= MAX_ID


def _rows(data: bytes, count: int, numbers: tuple[int, ...]) -> Iterator[list[bytes]]:
    """The lines with enough fields, whose numbers are numbers, and of which exec can take each part."""
    for line in data.split(b"\n"):
        fields = line.strip().split(b":")
        if len(fields) >= count and b"\0" not in line and all(_is_id(fields[index]) for index in numbers):
            yield fields
