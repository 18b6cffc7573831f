"""bpf(2) for programs that decide on a control group's devices."""

from __future__ import annotations

import errno
import os
import struct

from skiff.errors import SyscallError, suppress
from skiff.linux import foreign
from skiff.linux.libc import LIBC, failure

_BPF = foreign.c_long(321 if os.uname().machine == "x86_64" else 280)
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD, _PROG_QUERY = 5, 8, 9, 13, 15, 16
_TYPE_CGROUP_DEVICE = 15
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI, _REPLACE = 2, 4
_MAX_PROGRAMS = 64  # BPF_CGROUP_MAX_PROGS
_LOG_SIZE = 1 << 16
_INFO_SIZE, _INFO_NAME = 128, 64
_ATTRIBUTES_SIZE = 128
NAME = b"skiff_devices"


def _bpf(command: int, attributes: bytes | foreign.Array[foreign.c_char]) -> int:
    """The descriptor or 0; OSError of errno."""
    buffer = foreign.create_string_buffer(bytes(attributes), _ATTRIBUTES_SIZE)
    result: int = LIBC.syscall(_BPF, foreign.c_int(command), buffer, foreign.c_uint(_ATTRIBUTES_SIZE))
    if result < 0:
        number = foreign.get_errno()
        raise failure("bpf", number)
    if isinstance(attributes, foreign.Array):
        attributes.raw = buffer.raw[: len(attributes)]
    return result


def load_device_program(code: bytes) -> int:
    """A descriptor of the program, which the kernel has verified; SyscallError with the verifier's words if it will not."""
    instructions, licence = foreign.create_string_buffer(code, len(code)), foreign.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "=IIQQIIQII16s", _TYPE_CGROUP_DEVICE, len(code) // 8, foreign.addressof(instructions), foreign.addressof(licence),
        0, 0, 0, 0, 0, NAME,
    )  # fmt: skip
    try:
        return _bpf(_PROG_LOAD, attributes)
    except SyscallError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS):
            raise
        return _load_with_log(attributes)


def _load_with_log(attributes: bytes) -> int:
    """Again, for the verifier's reasons cost time and are wanted only when it refuses."""
    log = foreign.create_string_buffer(_LOG_SIZE)
    wordy = attributes[:24] + struct.pack("=IIQ", 1, _LOG_SIZE, foreign.addressof(log)) + attributes[40:]
    try:
        return _bpf(_PROG_LOAD, wordy)
    except SyscallError as error:
        raise failure("bpf", error.errno, f"to load the device program ({log.value.decode(errors='replace').strip()})") from None


def attach_device_program(directory: int, program: int) -> None:
    """In place of the one of ours that is attached to the group (a descriptor of its directory), without a moment of none.

    Others' programs, as systemd's, stay: a device must then pass them too.
    """
    old = _ours(directory)
    try:
        flags = _ALLOW_MULTI | (_REPLACE if len(old) == 1 else 0)
        try:
            _attach(directory, program, flags, old[0] if old else 0)
        except SyscallError as error:
            if not flags & _REPLACE or error.errno != errno.EINVAL:
                raise
            # Linux before 5.6 cannot replace: for a moment both decide.
            _attach(directory, program, _ALLOW_MULTI, 0)
            flags = _ALLOW_MULTI
        if not flags & _REPLACE:
            for fd in old:
                _bpf(_PROG_DETACH, struct.pack("=IIII", directory, fd, _ATTACH_CGROUP_DEVICE, 0))
    finally:
        for fd in old:
            os.close(fd)


def _attach(directory: int, program: int, flags: int, replaced: int) -> None:
    _bpf(_PROG_ATTACH, struct.pack("=IIIII", directory, program, _ATTACH_CGROUP_DEVICE, flags, replaced))


def _ours(directory: int) -> list[int]:
    """Descriptors of our programs that are attached to this very group."""
    numbers = (foreign.c_uint * _MAX_PROGRAMS)()
    query = foreign.create_string_buffer(
        struct.pack("=IIIIQI", directory, _ATTACH_CGROUP_DEVICE, 0, 0, foreign.addressof(numbers), _MAX_PROGRAMS), 32
    )
    _bpf(_PROG_QUERY, query)
    count = struct.unpack_from("=I", query.raw, 24)[0]
    found = []
    for number in numbers[:count]:
        with suppress(SyscallError):  # detached meanwhile
            program = _bpf(_PROG_GET_FD_BY_ID, struct.pack("=I", number))
            if _name(program) == NAME:
                found.append(program)
            else:
                os.close(program)
    return found


def _name(program: int) -> bytes:
    info = foreign.create_string_buffer(_INFO_SIZE)
    _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", program, _INFO_SIZE, foreign.addressof(info)))
    return info.raw[_INFO_NAME : _INFO_NAME + 16].rstrip(b"\0")
