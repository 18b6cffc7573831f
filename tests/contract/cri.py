"""The kubelet's calls to a container runtime (CRI, runtime.v1) by curl: gRPC is one message of protobuf in a POST of HTTP/2."""

from __future__ import annotations

import subprocess
from typing import Union

Field = Union[str, int, bytes]


def message(*fields: tuple[int, Field]) -> bytes:
    """Numbers and values as protobuf; a bytes value is a message that is nested."""
    made = b""
    for number, value in fields:
        if isinstance(value, int):
            made += _varint(number << 3) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            made += _varint(number << 3 | 2) + _varint(len(data)) + data
    return made


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def fields(data: bytes) -> dict[int, int | bytes]:
    """The same backwards; of a repeated field the last."""
    found: dict[int, int | bytes] = {}
    while data:
        key, data = _read(data)
        value, data = _read(data)
        if key & 7 == 0:
            found[key >> 3] = value
        else:
            found[key >> 3], data = data[:value], data[value:]
    return found


def _read(data: bytes) -> tuple[int, bytes]:
    value = shift = 0
    for place, byte in enumerate(data):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, data[place + 1 :]
    return value, b""


class Refused(Exception):
    """What the runtime says instead of an answer."""


def call(socket: str, name: str, request: bytes) -> dict[int, int | bytes]:
    """One call of RuntimeService; its answer's fields."""
    url = f"http://localhost/runtime.v1.RuntimeService/{name}"
    words = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--unix-socket", socket, "--max-time", "50"]
    words += ["-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-", "-D", "/dev/stderr", url]
    framed = b"\0" + len(request).to_bytes(4, "big") + request
    done = subprocess.run(words, input=framed, capture_output=True)
    told = done.stderr.decode()
    if "grpc-status: 0" not in told:
        raise Refused(told)
    return fields(done.stdout[5:])
