"""A web server with a CA of its own, and a host that pulls from it."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.site import Site
from tests.unit.pull.host import PullingHost


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    serving = Site("127.0.0.1", tmp_path / "site", tmp_path / "certificates")
    yield serving
    serving.close()


@pytest.fixture
def host(tmp_path: Path, site: Site) -> PullingHost:
    return PullingHost(tmp_path, site.address, site.ca.read_text())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a test's resources live."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder
