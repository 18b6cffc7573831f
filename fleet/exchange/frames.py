"""Frames: a byte of kind, four bytes of length, a payload. Knows no message's meaning."""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, Iterator, List, Mapping

from fleet.content import Content
from fleet.errors import HostError

HEAD = struct.Struct(">cI")
JSON, BYTES, COMPLETE = b"J", b"B", b"E"
LIMIT = 16 << 20
NOISE = "something on the host writes into the agent's output: run again, and if it comes again look at what its shells start"


def encode(message: Mapping[str, Any]) -> bytes:
    """A message's frame.

    Raises:
        HostError: it is larger than the protocol allows.
    """
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    if len(payload) > LIMIT:
        raise HostError(
            f"what the host should be takes {len(payload)} bytes, more than {LIMIT} in one exchange",
            "",
            "choose fewer roles with --roles",
        )
    return HEAD.pack(JSON, len(payload)) + payload


def encode_content(content: Content) -> Iterator[bytes]:
    """A content's frames, the last of which says that it is complete."""
    digest = bytes.fromhex(content.sha256)
    for chunk in content.chunks():
        yield HEAD.pack(BYTES, len(digest) + len(chunk)) + digest + chunk
    yield HEAD.pack(COMPLETE, len(digest)) + digest


class Decoder:
    """Gathers bytes into the agent's messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> List[Dict[str, Any]]:
        """The messages that these bytes complete.

        Raises:
            HostError: they are no frames.
        """
        self._held += data
        messages = []
        while len(self._held) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._held)
            if kind != JSON or length > LIMIT:
                raise HostError("the agent sent bytes that are no frame", repr(bytes(self._held[:200])), NOISE)
            end = HEAD.size + length
            if len(self._held) < end:
                break
            messages.append(decode(bytes(self._held[HEAD.size : end])))
            del self._held[:end]
        return messages


def decode(payload: bytes) -> Dict[str, Any]:
    """A frame's message.

    Raises:
        HostError: it is not a JSON object with a type.
    """
    try:
        message = json.loads(payload.decode("utf-8", "replace"))
        if b"\\u" in payload:
            # Half a surrogate pair is no text that a terminal or file could take.
            message = json.loads(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise HostError("the agent sent a message that is not JSON", str(error), NOISE) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise HostError("the agent sent a message without a type", repr(payload[:200]), NOISE)
    return message
