"""Marks each test by its folder, and turns a missing privilege into a failure where CI asks for everything."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Generator

import pytest

HERE = Path(__file__).parent
KINDS = {"unit", "root", "lab", "contract", "vm", "bench"}


def pytest_configure() -> None:
    """A shell starts what it puts in the background with SIGINT ignored, and programs under test would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kind = item.path.relative_to(HERE).parts[0]
        if kind in KINDS:
            item.add_marker(kind)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip for want of a privilege or program is a failure: the run would prove less than it says."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
