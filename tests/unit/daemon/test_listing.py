"""Which containers a list shows, and in which words."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any, AsyncIterator

import pytest

from skiff.api import listing, messages, shapes
from skiff.engine import status
from skiff.engine.container import Container, Record, State
from skiff.errors import InvalidInput, NotFound


def container(number: int, state: State, **config: Any) -> Container:
    made = {"Image": "busybox", "Labels": {"tier": "web"}, "Cmd": ["sh", "-c", "a b"], "Entrypoint": None, **config}
    record = Record(
        f"{number:064x}", f"name{number}", f"2026-01-0{number}T00:00:00Z", "sha256:abcdef", made, {"NetworkMode": "none"}
    )
    return Container(record, "/nowhere", state)


KEPT = [
    container(1, State(status.RUNNING)),
    container(2, State(status.EXITED, exit_code=3), Labels={}),
    container(3, State(status.CREATED), Image="other:1"),
]


class Fake:
    """As much of the engine as a list looks at."""

    def newest_first(self) -> list[Container]:
        return KEPT[::-1]

    def find(self, reference: str) -> Container:
        for one in KEPT:
            if one.record.name == reference:
                return one
        raise NotFound(f"No such container: {reference}")


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def chosen(filters: Any = None, **query: str) -> list[int]:
    if filters is not None:
        query["filters"] = json.dumps(filters)
    request = messages.Request("GET", "/containers/json", query, {}, nothing())
    engine: Any = SimpleNamespace(containers=Fake())
    return [int(one.record.id, 16) for one in listing.choose(engine, request)]


@pytest.mark.parametrize(
    ("filters", "query", "wanted"),
    [
        (None, {}, [1]),
        (None, {"all": "1"}, [3, 2, 1]),
        (None, {"limit": "2"}, [3, 2]),
        ({"status": ["exited", "created"]}, {}, [3, 2]),
        ({"status": {"exited": True}}, {}, [2]),
        ({"exited": ["3"]}, {}, [2]),
        ({"label": ["tier"]}, {"all": "1"}, [3, 1]),
        ({"label": ["tier=db"]}, {"all": "1"}, []),
        ({"name": ["ame2"]}, {"all": "1"}, [2]),
        ({"id": ["0" * 63]}, {"all": "1"}, [3, 2, 1]),
        ({"ancestor": ["busybox:latest"]}, {"all": "1"}, [2, 1]),
        ({"network": ["host"]}, {"all": "1"}, []),
        ({"before": ["name2"]}, {"all": "1"}, [1]),
        ({"since": ["name2"]}, {"all": "1"}, [3]),
    ],
)
def test_filters(filters: Any, query: dict[str, str], wanted: list[int]) -> None:
    assert chosen(filters, **query) == wanted


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"foo": ["x"]}, "Invalid filter 'foo'"),
        ({"status": ["odd"]}, "Unrecognised filter value"),
        ({"exited": ["x"]}, "Invalid filter"),
    ],
)
def test_wrong_filters(filters: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        chosen(filters, all="1")


NOW = 1_800_000_000.0


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(NOW - seconds, timezone.utc).isoformat()


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State(), "Created"),
        (State(status.RUNNING, started_at=ago(300)), "Up 5 minutes"),
        (State(status.PAUSED, started_at=ago(7200)), "Up 2 hours (Paused)"),
        (State(status.EXITED, exit_code=1, finished_at=ago(90)), "Exited (1) About a minute ago"),
        (State(status.DEAD), "Dead"),
    ],
)
def test_states_in_words(state: State, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert shapes.status_text(state) == text


def test_a_command_is_shown_as_one_types_it() -> None:
    assert shapes.list_entry(KEPT[0])["Command"] == "sh -c 'a b'"
