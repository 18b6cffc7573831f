"""Requests from anybody who may reach the socket: whatever they hold, the answer is a refusal in words, never a fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiff.api import bodies, messages
from skiff.engine import bundle, create, fields, limits
from skiff.engine.container import Container, Record
from skiff.engine.settings import Settings
from skiff.errors import SkiffError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6
)
# Half of the values have the right type, so that what lies behind the type check is reached too.
OF_KIND = {
    "bool": st.booleans(),
    "int": st.integers(-(2**40), 2**70),
    "string": st.text(max_size=12),
    "list": st.lists(JSON, max_size=3),
    "object": st.dictionaries(st.text(max_size=8), JSON, max_size=3),
    "command": st.lists(st.text(max_size=6), max_size=3) | st.text(max_size=6),
}


def requests(table: Any, have_only: bool) -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name, field in table.items() if field.have or not have_only]
    pairs = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), OF_KIND[table[name].kind] | JSON))
    logs = st.just([]) if table is fields.CONFIG else st.lists(st.tuples(st.just("LogConfig"), LOG), max_size=1)
    return st.tuples(st.lists(pairs, max_size=4), logs).map(lambda found: dict([*found[0], *found[1]]))


LOG = st.fixed_dictionaries({}, optional={"Type": st.sampled_from(["json-file", "none", ""]) | JSON, "Config": JSON})
NETWORKING = st.none() | st.fixed_dictionaries({}, optional={"EndpointsConfig": JSON | st.dictionaries(st.just("none"), JSON)})


@settings(max_examples=400, deadline=None)
@given(requests(fields.CONFIG, True), requests(fields.HOST_CONFIG, True), requests(fields.CONFIG, False), NETWORKING)
def test_any_create_request_is_taken_or_refused(config: Any, host: Any, image: Any, networking: Any) -> None:
    try:
        own, made, _ = create.check_request(config, {"NetworkMode": "none", **host}, networking, Settings())
        create.merge_image(own, image, "f" * 64)
    except SkiffError:
        return
    container = Container(Record("f" * 64, "n", "", "sha256:i", own, made), "/nonexistent")
    document = bundle.document(container)
    assert json.loads(json.dumps(document)) == document
    assert limits.resources(made) is not None


@settings(deadline=None)
@given(requests(fields.CONFIG, False), requests(fields.HOST_CONFIG, False), st.dictionaries(st.text(max_size=6), JSON, max_size=3))
def test_fields_that_skiff_lacks_fare_no_better(config: Any, host: Any, networking: Any) -> None:
    with contextlib.suppress(SkiffError):
        create.check_request(config, host, {"EndpointsConfig": networking}, Settings())


async def body_of(text: bytes) -> AsyncIterator[bytes]:
    yield text


def read(text: bytes) -> Any:
    request = messages.Request("POST", "/", {}, {"content-type": "application/json"}, body_of(text))
    return asyncio.run(bodies.document(request))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b"{} {}", b'{"a": NaN'])
def test_bodies_that_are_no_document_are_refused(text: bytes) -> None:
    with pytest.raises(SkiffError, match=r"invalid JSON|must be an object"):
        read(text)


def test_a_body_without_bounds_is_cut_off() -> None:
    with pytest.raises(SkiffError, match="larger than"):
        read(b" " * (bodies.MAX_DOCUMENT + 1))


@settings(deadline=None)
@given(st.text(max_size=30) | JSON.map(json.dumps))
def test_any_filter_is_taken_or_refused(text: str) -> None:
    request = messages.Request("GET", "/", {"filters": text, "limit": text, "all": text}, {}, body_of(b""))
    with contextlib.suppress(SkiffError):
        found = bodies.filters(request, frozenset({"label", "status"}))
        assert all(isinstance(values, list) for values in found.values())
        bodies.number(request, "limit", 0)
    assert request.flag("all") in (True, False)
