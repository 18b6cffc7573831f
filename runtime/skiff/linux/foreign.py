"""Foreign functions and C's types, as ctypes has them: what it wraps, since the wrapper defines 60 types and loads five modules.

Types and functions behave as https://docs.python.org/3/library/ctypes.html says; there is what the runtime uses.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import (
        CDLL,
        Array,
        PyDLL,
        Structure,
        addressof,
        byref,
        c_byte,
        c_char,
        c_char_p,
        c_int,
        c_int32,
        c_long,
        c_size_t,
        c_uint,
        c_uint32,
        c_uint64,
        c_ulong,
        c_ushort,
        c_void_p,
        create_string_buffer,
        get_errno,
        sizeof,
    )
else:
    import _ctypes
    from _ctypes import Array, Structure, addressof, byref, get_errno, sizeof

    def _simple(code: str) -> type:
        """A fundamental type, by the letter that `struct` has for it too."""
        return type(_ctypes._SimpleCData)(code, (_ctypes._SimpleCData,), {"_type_": code})

    c_byte, c_char, c_ushort = _simple("b"), _simple("c"), _simple("H")
    c_int, c_uint, c_long, c_ulong = _simple("i"), _simple("I"), _simple("l"), _simple("L")
    c_char_p, c_void_p = _simple("z"), _simple("P")
    # So on every Linux of 64 bits.
    c_int32, c_size_t, c_uint32, c_uint64 = c_int, c_ulong, c_uint, c_ulong

    class CDLL:
        """A library, whose functions are its attributes; OSError where it cannot be loaded."""

        _flags = _ctypes.FUNCFLAG_CDECL

        def __init__(self, name: str | None, use_errno: bool = False) -> None:
            flags = self._flags | (_ctypes.FUNCFLAG_USE_ERRNO if use_errno else 0)
            self._handle = _ctypes.dlopen(name, 0)  # RTLD_LOCAL; it adds RTLD_NOW
            self._kind = type(_ctypes.CFuncPtr)("function", (_ctypes.CFuncPtr,), {"_flags_": flags, "_restype_": c_int})

        def __getattr__(self, name: str) -> object:
            function = self._kind((name, self))
            setattr(self, name, function)
            return function

    class PyDLL(CDLL):
        """One whose functions are called with the interpreter's lock held."""

        _flags = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI

    def create_string_buffer(initial: bytes | int, size: int | None = None) -> Array:
        """Without a size with a zero behind the bytes; of a number, so many zeros."""
        if isinstance(initial, int):
            return (c_char * initial)()
        buffer = (c_char * (len(initial) + 1 if size is None else size))()
        buffer.value = initial
        return buffer


__all__ = (
    "CDLL",
    "Array",
    "PyDLL",
    "Structure",
    "addressof",
    "byref",
    "c_byte",
    "c_char",
    "c_char_p",
    "c_int",
    "c_int32",
    "c_long",
    "c_size_t",
    "c_uint",
    "c_uint32",
    "c_uint64",
    "c_ulong",
    "c_ushort",
    "c_void_p",
    "create_string_buffer",
    "get_errno",
    "sizeof",
)
