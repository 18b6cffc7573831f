"""The session keyring: a container's own, so that it does not hold the keys of whoever started it."""

from __future__ import annotations

from skiff.linux import foreign
from skiff.linux.libc import LIBC, check, number

_KEYCTL = number(250, 219)
_JOIN_SESSION_KEYRING, _SET_PERMISSIONS = foreign.c_int(1), foreign.c_int(5)
# What a new keyring has, and search for its owner, so that the container's user finds it.
_PERMISSIONS = foreign.c_uint32(0x3F1B0000)


def join_new(name: bytes) -> None:
    """A new session keyring of that name for this process."""
    serial = check(LIBC.syscall(_KEYCTL, _JOIN_SESSION_KEYRING, foreign.c_char_p(name)), "keyctl", name)
    check(LIBC.syscall(_KEYCTL, _SET_PERMISSIONS, foreign.c_int32(serial), _PERMISSIONS), "keyctl", name)
