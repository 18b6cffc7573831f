"""A scratch host for the agent: its own directory, lock, PATH and programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def session(tmp_path: Path, host: FakeHost) -> Session:
    return Session(tmp_path, path=host.path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a test's resources live."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder
