"""Docker's rules for a user, on the container's own files."""

from __future__ import annotations

import pytest

from skiff.oci import identity

PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
broken line
ann:x:1000:1001:Ann:/home/ann:/bin/sh
7:x:70:71::/seven:/bin/sh
nohome:x:1002:1002:::
huge:x:99999999999:1::/:
"""
GROUP = b"root:x:0:\nstaff:x:50:bob,ann\nann:x:1001:ann\nwheel:x:10:root,ann\nbad:x:y:ann\n"


@pytest.mark.parametrize(
    ("wanted", "uid", "gid", "groups", "home"),
    [
        (b"", 0, 0, [10], b"/root"),
        (b"root", 0, 0, [10], b"/root"),
        (b"0", 0, 0, [10], b"/root"),
        (b"ann", 1000, 1001, [50, 10], b"/home/ann"),
        (b"1000", 1000, 1001, [50, 10], b"/home/ann"),
        (b"ann:staff", 1000, 50, [], b"/home/ann"),
        (b"ann:77", 1000, 77, [], b"/home/ann"),
        (b"4242", 4242, 0, [], b"/"),
        (b"4242:4343", 4242, 4343, [], b"/"),
        (b":staff", 0, 50, [], b"/root"),
        (b"7", 70, 71, [], b"/seven"),
        (b"nohome", 1002, 1002, [], b"/"),
    ],
)
def test_lookup(wanted: bytes, uid: int, gid: int, groups: list[int], home: bytes) -> None:
    found = identity.lookup(wanted, PASSWD, GROUP)
    assert (found.uid, found.gid, found.groups, found.home) == (uid, gid, groups, home)


@pytest.mark.parametrize("wanted", [b"bob", b"-1", b"99999999999", b"huge", b"1000x", b"\xff"])
def test_users_that_are_not(wanted: bytes) -> None:
    with pytest.raises(identity.NoSuchUser):
        identity.lookup(wanted, PASSWD, GROUP)


@pytest.mark.parametrize("wanted", [b"ann:pals", b"ann:-1", b"ann:99999999999", b"ann:bad"])
def test_groups_that_are_not(wanted: bytes) -> None:
    with pytest.raises(identity.NoSuchGroup):
        identity.lookup(wanted, PASSWD, GROUP)


def test_without_files_numbers_still_do() -> None:
    found = identity.lookup(b"5:6", b"", b"")
    assert (found.uid, found.gid, found.home) == (5, 6, b"/")


def test_home_of_a_number() -> None:
    assert identity.home_of(1000, PASSWD) == b"/home/ann"
    assert identity.home_of(4242, PASSWD) == b"/"


DIGITS = b"9" * 100_000


@pytest.mark.parametrize("line", [b"ann:x:%s:1::/:" % DIGITS, b"ann:x:1:%s::/:" % DIGITS, b"ann:x:1:1::/a\0b:"])
def test_lines_that_no_kernel_could_take_are_passed_over(line: bytes) -> None:
    assert identity.lookup(b"ann", line + b"\nann:x:5:6::/good:", b"g:x:%s:ann" % DIGITS).home == b"/good"


def test_an_endless_number_is_no_user_and_no_group() -> None:
    with pytest.raises(identity.NoSuchUser):
        identity.lookup(DIGITS, b"", b"")
    with pytest.raises(identity.NoSuchGroup):
        identity.lookup(b"1:" + DIGITS, b"", b"")
