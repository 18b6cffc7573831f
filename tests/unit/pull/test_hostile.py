"""Heads and documents of a hostile make, though signed: no digest leads to a path, no size to the host's memory."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from fleet.agent.errors import AgentError
from fleet.content import Content
from fleet.pull.keys import Keys
from fleet.pull.state import sealed
from fleet.puller import document, head

GOOD: Dict[str, Any] = {
    "kind": "skiff pull",
    "format": 1,
    "host": "web1",
    "serial": 7,
    "made": "now",
    "who": "ann",
    "expires": 9,
    "document": {"sha256": "a" * 64, "size": 10},
    "agent": {"sha256": "b" * 64, "size": 10},
    "objects": {"c" * 64: 3},
}
KEY = "5e" * 32


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("keys"))
    made.make(None)
    return made


def opened(keys: Keys, signed: bytes) -> head.Head:
    sign = keys.signer(lambda: None)
    return head.opened(sign.name.encode() + b" " + base64.b64encode(sign(signed)) + b"\n" + signed, keys.public(), "web1")


def test_a_good_one_is_understood(keys: Keys) -> None:
    found = opened(keys, json.dumps(GOOD).encode())
    assert (found.serial, found.document, found.size_of("c" * 64)) == (7, ("a" * 64, 10), 3)
    with pytest.raises(AgentError, match="is not part of what was published"):
        found.size_of("d" * 64)


WRONG: Dict[str, Dict[str, Any]] = {
    "a path in an object's name": {"objects": {"../../../etc/shadow": 3}},
    "a path as long as a digest": {"objects": {"../" * 21 + "x": 3}},
    "a path for the document": {"document": {"sha256": "/etc/shadow", "size": 3}},
    "no digest": {"agent": {"size": 3}},
    "a document too large": {"document": {"sha256": "a" * 64, "size": 1 << 40}},
    "an object too large": {"objects": {"c" * 64: 1 << 60}},
    "a size below nothing": {"objects": {"c" * 64: -1}},
    "a size that is none": {"objects": {"c" * 64: "3"}},
    "a serial that is none": {"serial": "7"},
    "objects that are a list": {"objects": ["c" * 64]},
    "another format": {"format": 2},
    "another kind": {"kind": "skiff plan"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_signed_head_of_another_form_is_refused(keys: Keys, wrong: str) -> None:
    with pytest.raises(AgentError, match="the signed state is"):
        opened(keys, json.dumps({**GOOD, **WRONG[wrong]}).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"kind": "skiff pull"}'])
def test_signed_bytes_that_are_no_head_are_refused(keys: Keys, text: bytes) -> None:
    with pytest.raises(AgentError, match="the signed state is not understood"):
        opened(keys, text)


@pytest.mark.parametrize("data", [b"", b"\n", b" \n{}", b"x\n{}", b"\xff \n{}", b"key !!!\n{}", b"key AAAA", b"-key AAAA\n{}"])
def test_what_has_no_signature_is_refused(keys: Keys, data: bytes) -> None:
    with pytest.raises(AgentError):
        head.opened(data, keys.public(), "web1")


DOCUMENTS: Dict[str, Callable[[bytes], bytes]] = {
    "unpacks to more than a host has room for": lambda _: zlib.compress(bytes(64 << 20)),
    "is cut": lambda good: good[:-10],
    "is no JSON": lambda _: zlib.compress(b"{"),
    "is not packed": lambda _: b"{}",
    "is deep": lambda _: zlib.compress(b"[" * 100_000),
    "lacks resources": lambda _: zlib.compress(b'{"start": [], "facts": {}, "secrets": [], "contents": {}}'),
    "has contents that are no base64": lambda _: zlib.compress(
        b'{"start": [], "facts": {}, "resources": [], "secrets": [], "contents": {"a": 3}}'
    ),
}


@pytest.mark.parametrize("wrong", DOCUMENTS)
def test_a_document_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    good = zlib.compress(json.dumps({"start": [], "facts": {}, "resources": [], "secrets": [], "contents": {}}).encode())
    assert document.opened(sealed(good, KEY), str(tmp_path / "key")).resources == []
    with pytest.raises(AgentError, match="the state of this host is not understood"):
        document.opened(sealed(DOCUMENTS[wrong](good), KEY), str(tmp_path / "key"))


def test_sealing_the_same_gives_the_same_and_another_key_another(tmp_path: Path) -> None:
    assert sealed(b"text", KEY) == sealed(b"text", KEY)
    assert sealed(b"text", KEY) != sealed(b"text", "a5" * 32)
    assert sealed(b"text", KEY)[8:16] != sealed(b"test", KEY)[8:16]
    assert Content.of(sealed(b"", KEY)).size == 32
