"""The part of ctypes that the runtime has of its own is as ctypes is."""

from __future__ import annotations

import ctypes
import errno
import inspect

import pytest

from skiff.linux import foreign

TYPES = [name for name in foreign.__all__ if name.startswith("c_")]


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_ctypes_own(name: str) -> None:
    ours, theirs = getattr(foreign, name), getattr(ctypes, name)
    assert (foreign.sizeof(ours), ours._type_) == (ctypes.sizeof(theirs), theirs._type_)
    assert type(ours().value) is type(theirs().value)


@pytest.mark.parametrize("arguments", [(b"abc",), (b"a\0b", 3), (b"abc", 7), (5,)])
def test_a_buffer_has_the_same_bytes(arguments: tuple[bytes] | tuple[bytes, int] | tuple[int]) -> None:
    ours, theirs = (module.create_string_buffer(*arguments) for module in (foreign, ctypes))
    assert (ours.raw, len(ours)) == (theirs.raw, len(theirs))


def test_a_buffer_takes_what_ctypes_takes() -> None:
    assert len(inspect.signature(foreign.create_string_buffer).parameters) == len(
        inspect.signature(ctypes.create_string_buffer).parameters
    )


def test_bytes_that_are_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        foreign.create_string_buffer(b"abcd", 3)


@pytest.mark.parametrize("kind", [foreign.CDLL, foreign.PyDLL])
def test_a_failed_call_leaves_its_number(kind: type[foreign.CDLL]) -> None:
    library = kind(None, use_errno=True)
    assert library.close(-1) == -1
    assert foreign.get_errno() == errno.EBADF


def test_a_structure_goes_by_reference() -> None:
    class Times(foreign.Structure):
        _fields_ = (("seconds", foreign.c_long), ("nanoseconds", foreign.c_long))

    now = Times()
    library = foreign.CDLL(None)
    library.clock_gettime.argtypes = (foreign.c_int, foreign.c_void_p)
    assert library.clock_gettime(0, foreign.byref(now)) == 0
    assert now.seconds > 1 << 30


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(OSError, match="libnowhere"):
        foreign.CDLL("libnowhere.so")
    with pytest.raises(AttributeError, match="no_such_function"):
        foreign.CDLL(None).no_such_function  # noqa: B018  # the look for it is the point
