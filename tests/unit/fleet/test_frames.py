from __future__ import annotations

import contextlib
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.content import CHUNK, Content
from fleet.errors import HostError
from fleet.exchange.frames import HEAD, LIMIT, Decoder, encode, encode_content


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), min_size=1, max_size=5), st.integers(1, 50))
def test_frames_survive_any_cut(bodies: List[Dict[str, Any]], size: int) -> None:
    messages = [{**body, "type": "x"} for body in bodies]
    data = b"".join(encode(message) for message in messages)
    decoder = Decoder()
    found = [message for start in range(0, len(data), size) for message in decoder.feed(data[start : start + size])]
    assert found == messages


@pytest.mark.parametrize(
    "data",
    [b"Xabcd", HEAD.pack(b"J", LIMIT + 1), HEAD.pack(b"J", 2) + b"{]", HEAD.pack(b"J", 2) + b"[]", HEAD.pack(b"B", 0)],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(HostError, match="the agent sent"):
        Decoder().feed(data)


@given(st.binary(max_size=300))
def test_hostile_bytes_never_do_more_than_be_refused(data: bytes) -> None:
    decoder = Decoder()
    with contextlib.suppress(HostError):
        assert all(isinstance(message["type"], str) for message in decoder.feed(data))


def test_a_content_goes_in_pieces_of_a_mebibyte_with_its_digest() -> None:
    content = Content.of(b"x" * (CHUNK + 1))
    frames = list(encode_content(content))
    assert [part[:1] for part in frames] == [b"B", b"B", b"E"]
    assert [HEAD.unpack_from(part)[1] for part in frames] == [32 + CHUNK, 33, 32]
    assert all(part[5:37].hex() == content.sha256 for part in frames)
    assert [part[:1] for part in encode_content(Content.of(b""))] == [b"E"]


def test_a_desired_state_beyond_the_limit_is_refused() -> None:
    with pytest.raises(HostError, match="choose fewer roles"):
        encode({"type": "desired", "resources": ["x" * LIMIT]})


def test_half_a_surrogate_pair_from_a_host_can_be_printed() -> None:
    payload = b'{"type": "t", "half": "a\\ud83d", "whole": "\\ud83d\\ude00"}'
    (message,) = Decoder().feed(HEAD.pack(b"J", len(payload)) + payload)
    assert message == {"type": "t", "half": "a?", "whole": "\U0001f600"}
