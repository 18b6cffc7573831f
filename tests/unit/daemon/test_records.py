"""Containers on disk: what is written comes back, what was cut or cannot be read is treated with care."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from skiff.engine import names, records, status
from skiff.engine.container import Container, Record, State


def make(store: records.Records, created: str = "2026-01-01T00:00:00Z") -> Container:
    record = Record(names.new_id(), "n", created, "sha256:i", {"Cmd": ["x"], "Entrypoint": None}, {"NetworkMode": "none"})
    container = Container(record, store.directory(record.id))
    store.add(container)
    return container


def test_a_container_comes_back_with_its_state(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    made = make(store)
    made.state.become(status.RUNNING)
    made.state.pid = 42
    store.save(made)
    (found,) = records.Records(str(tmp_path)).load()
    assert (found.record, found.state) == (made.record, made.state)
    assert found.alive
    assert found.record.command == ["x"]


def test_one_that_was_never_started_has_no_state_on_disk_and_is_created(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    make(store)
    (found,) = store.load()
    assert found.state == State()


def test_the_oldest_comes_first(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    newer, older = make(store, "2026-02-01T00:00:00Z"), make(store, "2026-01-01T00:00:00Z")
    assert [container.record.id for container in store.load()] == [older.record.id, newer.record.id]


def test_a_create_that_was_cut_is_cleared_away(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    cut = tmp_path / "containers" / ("c" * 64)
    cut.mkdir()
    (cut / "config.json.new").write_text("{")
    assert store.load() == []
    assert not cut.exists()


def test_one_that_cannot_be_read_is_left_alone_and_still_counted(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    made = make(store)
    (Path(made.directory) / "config.json").write_text("{ damaged")
    assert store.load() == []
    assert store.identities() == [made.record.id]
    assert Path(made.directory).exists()


def test_a_damaged_state_is_that_of_one_never_started(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    made = make(store)
    (Path(made.directory) / "state.json").write_text("[]")
    assert store.load()[0].state == State()


def test_removal_leaves_nothing(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    made = make(store)
    store.remove(made)
    assert store.identities() == []


def test_a_disk_that_is_full_leaves_no_half_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = records.Records(str(tmp_path))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        make(store)
    assert store.identities() == []


def test_states_follow_the_table_only() -> None:
    state = State()
    state.become(status.RUNNING)
    state.become(status.EXITED)
    with pytest.raises(AssertionError, match="cannot go from exited to paused"):
        state.become(status.PAUSED)
    assert set(status.NEXT) == {
        status.CREATED,
        status.RUNNING,
        status.PAUSED,
        status.EXITED,
        status.REMOVING,
        status.DEAD,
    }
