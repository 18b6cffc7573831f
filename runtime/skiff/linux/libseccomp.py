"""The host's libseccomp, loaded when first wanted: from rules by name to a program for the kernel."""

from __future__ import annotations

import os

from skiff.errors import Unsupported
from skiff.linux import foreign
from skiff.linux.libc import failure

LIBRARY = "libseccomp.so.2"
_OPTIMIZE, _TREE = 8, 2  # SCMP_FLTATR_CTL_OPTIMIZE, since 2.5: a search in halves instead of one call after the other
_UNKNOWN_SYSCALL = -1
_EEXIST, _EDOM = -17, -33


class Condition(foreign.Structure):
    """struct scmp_arg_cmp: an argument, an operator, and its one or two numbers."""

    _fields_ = [("arg", foreign.c_uint), ("op", foreign.c_int), ("datum_a", foreign.c_uint64), ("datum_b", foreign.c_uint64)]


def load() -> foreign.CDLL:
    """The library; Unsupported if this host has none."""
    try:
        library = foreign.CDLL(LIBRARY)
    except OSError:
        raise Unsupported(
            f"seccomp: {LIBRARY} is not installed on this host: install libseccomp, or take linux.seccomp out"
        ) from None
    library.seccomp_init.restype = foreign.c_void_p
    context, action = foreign.c_void_p, foreign.c_uint32
    library.seccomp_init.argtypes = (action,)
    library.seccomp_release.argtypes = (context,)
    library.seccomp_attr_set.argtypes = (context, foreign.c_int, foreign.c_uint32)
    library.seccomp_arch_add.argtypes = (context, foreign.c_uint32)
    library.seccomp_arch_resolve_name.argtypes = (foreign.c_char_p,)
    library.seccomp_arch_resolve_name.restype = foreign.c_uint32
    library.seccomp_arch_native.restype = foreign.c_uint32
    library.seccomp_syscall_resolve_name_arch.argtypes = (foreign.c_uint32, foreign.c_char_p)
    library.seccomp_syscall_resolve_name.argtypes = (foreign.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (context, action, foreign.c_int, foreign.c_uint, foreign.c_void_p)
    library.seccomp_export_bpf.argtypes = (context, foreign.c_int)
    return library


def present() -> bool:
    """Whether this host has it."""
    try:
        foreign.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class Filter:
    """One filter in the making; to be used in a `with` statement."""

    def __init__(self, default_action: int) -> None:
        self._library = load()
        self._context = self._library.seccomp_init(default_action)
        if not self._context:
            raise Unsupported(f"seccomp: libseccomp does not know the action {default_action:#x} on this kernel")
        self._library.seccomp_attr_set(self._context, _OPTIMIZE, _TREE)  # an older one goes on without

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.seccomp_release(self._context)

    def add_arch(self, name: str) -> int:
        """A further architecture by libseccomp's name; its token, 0 if unknown here."""
        token = int(self._library.seccomp_arch_resolve_name(name.encode()))
        if token:
            self._check(self._library.seccomp_arch_add(self._context, token), f"arch_add {name}", (0, _EEXIST))
        return token

    def native(self) -> int:
        """The token of this machine's own."""
        return int(self._library.seccomp_arch_native())

    def number(self, name: str, arch: int) -> int:
        """A call's number there, negative if there is none."""
        return int(self._library.seccomp_syscall_resolve_name_arch(arch, name.encode()))

    def add_rule(self, action: int, name: str, conditions: list[Condition]) -> None:
        """A rule for a call; one that no architecture has needs no rule."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number == _UNKNOWN_SYSCALL:
            return
        array = (Condition * max(len(conditions), 1))(*conditions)
        result = self._library.seccomp_rule_add_array(self._context, action, number, len(conditions), array)
        self._check(result, f"rule for {name}", (0, _EDOM, _EEXIST))

    def program(self) -> bytes:
        """The kernel's instructions."""
        fd = os.memfd_create("filter", os.MFD_CLOEXEC)
        try:
            self._check(self._library.seccomp_export_bpf(self._context, fd), "export_bpf")
            os.lseek(fd, 0, os.SEEK_SET)
            with open(fd, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(fd)

    @staticmethod
    def _check(result: int, what: str, good: tuple[int, ...] = (0,)) -> None:
        if result not in good:
            raise failure("libseccomp", -result, what)
